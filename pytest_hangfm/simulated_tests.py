"""Tests that are played in simulated worlds: in many by the mark ``simulation``, in one for ``hangfm_app``.

The plugin's fixtures are another thing in each world, so pytest makes none of them for such a test, and
pytest-asyncio does not run it.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import pytest

from pytest_hangfm.fenced import RUNNER_FIXTURES, drop_fixtures, fixture_names
from pytest_hangfm.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_hangfm.simulation.trials import Outcome, Trial

__all__ = ["is_simulated", "refuse_fixture", "run_simulated", "take_over"]

_MARK: Final = "simulation"
_SIGNATURE: Final = "simulation(seeds=200, check=…)"
_SEEDS: Final = 200
_OURS: Final = "hangfm_"
_APP: Final = "hangfm_app"
"""A test that asks for this is played in one world at least."""
_TEST: Final[pytest.StashKey[Callable[..., Any]]] = pytest.StashKey()
"""The test's own function; a stand-in takes its place, which pytest-asyncio leaves alone."""


def is_simulated(item: pytest.Item) -> bool:
    """Whether a test is marked ``simulation``, or tests an app."""
    return _TEST in item.stash or item.get_closest_marker(_MARK) is not None or _APP in fixture_names(item)


def take_over(collected: object) -> None:
    """Keep others from running the marked tests among what pytest made of a name in a module."""
    nodes: Iterable[object] = collected if isinstance(collected, list | tuple) else (collected,)
    found = [node for node in nodes if isinstance(node, pytest.Function) and is_simulated(node)]
    for node in found:  # those of one function share their fixtures
        if _TEST not in node.stash:
            node.stash[_TEST] = node.obj
            node.obj = _stand_in(node.obj)
            drop_fixtures(node, lambda name: name.startswith(_OURS) or name in RUNNER_FIXTURES)


def _stand_in(test: Callable[..., Any]) -> Callable[..., NoReturn]:
    @functools.wraps(test)
    def stand_in(**_: object) -> NoReturn:
        raise RuntimeError("a simulated test was called by another plugin")

    return stand_in


def refuse_fixture(request: pytest.FixtureRequest, name: str) -> None:
    """Fail a simulated test for which a fixture of the plugin is about to be made on this machine."""
    if name.startswith(_OURS) and isinstance(request.node, pytest.Item) and is_simulated(request.node):
        pytest.fail(
            f"{name} is another in each simulated world: ask for it in the test itself, not in a fixture",
            pytrace=False,
        )


def run_simulated(item: pytest.Function) -> bool:
    """Run a test in its worlds, if it is marked; return whether it is."""
    test = item.stash.get(_TEST, None)
    if test is None:
        return False
    from pytest_hangfm.simulation.visiting import CannotBeSimulatedError  # noqa: PLC0415  only a simulation pays

    try:
        marker = _read_mark(item)
        trial = _trial(item, test, marker.check if marker else ())
        outcome = _outcome(item, trial, marker.seeds) if marker else trial.calm()
    except CannotBeSimulatedError as exc:
        pytest.fail(str(exc), pytrace=False)
    if outcome.failure:
        pytest.fail(outcome.failure, pytrace=False)
    item.add_report_section("call", _MARK, outcome.summary)
    return True


def _outcome(item: pytest.Item, trial: Trial, seeds: int) -> Outcome:
    options = item.config.stash[OPTIONS]
    return trial.replay(options.simulate) if options.simulate else trial.search(options.seeds or seeds)


def _trial(item: pytest.Function, test: Callable[..., Any], check: tuple[Callable[..., Any], ...]) -> Trial:
    from pytest_hangfm.simulation.trials import Trial  # noqa: PLC0415  only a simulation pays for it
    from pytest_hangfm.simulation.visiting import OFFERED  # noqa: PLC0415  likewise

    if not inspect.iscoroutinefunction(test):
        pytest.fail("a test that is marked `simulation` is an `async def`", pytrace=False)
    asked = list(inspect.signature(test).parameters)
    wanted = tuple(name for name in asked if name.startswith(_OURS))
    if missing := [name for name in wanted if name not in OFFERED]:
        pytest.fail(
            f"{missing[0]} is not there in a simulation; there are {', '.join(OFFERED)}", pytrace=False
        )
    values = {name: item.funcargs[name] for name in asked if name in item.funcargs}
    return Trial(item.nodeid, test, values, wanted, check)


class _Mark(NamedTuple):
    """The mark's arguments."""

    seeds: int = _SEEDS
    check: Any = ()


def _read_mark(item: pytest.Item) -> _Mark | None:
    """Read a test's nearest mark; ``None``: it has none."""
    marker = item.get_closest_marker(_MARK)
    if marker is None:
        return None
    try:
        seeds, check = _Mark(*marker.args, **marker.kwargs)
    except TypeError:
        pytest.fail(f"{_SIGNATURE}: it has no other arguments", pytrace=False)
    if not isinstance(seeds, int) or seeds < 1:
        pytest.fail(f"{_SIGNATURE}: seeds={seeds!r} is no number of at least 1", pytrace=False)
    checks = (check,) if callable(check) else tuple(check)
    if not all(map(callable, checks)):
        pytest.fail(f"{_SIGNATURE}: check is a function, or several", pytrace=False)
    return _Mark(seeds, checks)
