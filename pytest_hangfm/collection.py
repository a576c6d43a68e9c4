"""Which tests of a run take place: checks are chosen and sorted, live tests skipped, the others guarded."""

from __future__ import annotations

import difflib
import gc
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import pytest

from pytest_hangfm.async_tests import shares_our_loop
from pytest_hangfm.fenced import use_fixture
from pytest_hangfm.items import check_id, checks_alone, packaged_checks, target_of_item, uses_plugin
from pytest_hangfm.options import OPTIONS
from pytest_hangfm.simulated_tests import is_simulated
from pytest_hangfm.stash import PASSED

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["arrange", "unfreeze", "without_garbage_collection"]

_NEEDS_TARGET: Final = "live: runs with --hangfm-target=live only"
_NEEDS_WRITES: Final = "on a live target this test is seen by others: it runs with --hangfm-live-writes only"
_LEAK_FIXTURE: Final = "hangfm_no_leaks"
_VIRTUAL_FIXTURE: Final = "hangfm_virtual_time"
_FROZEN: Final = pytest.StashKey[bool]()


def arrange(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Choose and order the checks, skip what others would see, and guard the rest, in place.

    Where ``-m preflight`` finds no check of the project's own, those that come with the plugin are run:
    a gate that selects nothing would let everything through, or stop everything.
    """
    options = session.config.stash[OPTIONS]
    if not items and checks_alone(session.config) and not session.testsfailed:
        items += _collect_packaged_checks(session)
    if options.only or options.ignore:
        _choose_checks(session.config, items)
    _order_checks(items)
    if options.simulate and items:
        _look_at_token(options.simulate, items)
    guards = options.guard == "all" or (options.guard == "auto" and any(map(uses_plugin, items)))
    for item in items:
        _skip_live(item)
        if item.get_closest_marker("virtual_time") is not None:
            _use(item, _VIRTUAL_FIXTURE)
        if guards:
            item.stash[PASSED] = False
            _use(item, _LEAK_FIXTURE)


@contextmanager
def without_garbage_collection(config: pytest.Config) -> Iterator[None]:
    """Pause the garbage collector while a preflight-only run imports its modules.

    What is imported lives as long as the run, and collecting cost a tenth of its time.
    """
    if not checks_alone(config) or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
        config.stash[_FROZEN] = True


def unfreeze(config: pytest.Config) -> None:
    """Undo at the end of a run what `without_garbage_collection` left."""
    if config.stash.get(_FROZEN, False):
        gc.unfreeze()


def _collect_packaged_checks(session: pytest.Session) -> list[pytest.Item]:
    """Collect the checks that come with the plugin; they are parts of this very run, also for xdist."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:  # a worker of xdist has none
        terminal.write_line("hangfm: no check of this project's own: making those that come with the plugin")
    found = session.genitems(pytest.Dir.from_parent(session, path=packaged_checks()))
    return [item for item in found if item.get_closest_marker("preflight")]


def _choose_checks(config: pytest.Config, items: list[pytest.Item]) -> None:
    from hangbot.preflight import CHECKS  # noqa: PLC0415  only a run that names checks pays for it

    options = config.stash[OPTIONS]
    checks = [item for item in items if item.get_closest_marker("preflight")]
    known = sorted({check.id for check in CHECKS} | {check_id(item) for item in checks})
    for option, patterns in (("--hangfm-only", options.only), ("--hangfm-ignore", options.ignore)):
        for pattern in patterns:
            if not _matches(pattern, *known):
                near = difflib.get_close_matches(pattern, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise pytest.UsageError(f"{option}: no check is called {pattern!r}; {hint}")
    left_out = [
        item
        for item in checks
        if any(_matches(pattern, check_id(item)) for pattern in options.ignore)
        or (options.only and not any(_matches(pattern, check_id(item)) for pattern in options.only))
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _look_at_token(token: str, items: list[pytest.Item]) -> None:
    """Refuse a token that cannot be replayed before the tests run, and not once for each of them."""
    from pytest_hangfm.simulation.token import TokenError, decode  # noqa: PLC0415  only a replay pays for it

    if not any(map(is_simulated, items)):
        raise pytest.UsageError("--hangfm-simulate: no test of this run is marked `simulation`")
    try:
        decode(token)
    except TokenError as exc:
        raise pytest.UsageError(f"--hangfm-simulate: {exc}") from None


def _matches(pattern: str, *names: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _order_checks(items: list[pytest.Item]) -> None:
    """Restore the order of preflight after another plugin shuffled: a cause comes before what it causes."""
    places = [place for place, item in enumerate(items) if item.get_closest_marker("preflight")]
    if not places:
        return
    from hangbot.preflight import CHECKS  # noqa: PLC0415  only a run with checks pays for it

    order = {check.id: place for place, check in enumerate(CHECKS)}
    checks = sorted(
        (items[place] for place in places), key=lambda item: order.get(check_id(item), len(order))
    )
    for place, item in zip(places, checks, strict=True):
        items[place] = item


def _skip_live(item: pytest.Item) -> None:
    """Skip rather than deselect, so that the summary shows what was not run."""
    options = item.config.stash[OPTIONS]
    if item.get_closest_marker("live") and options.target != "live":
        item.add_marker(pytest.mark.skip(reason=_NEEDS_TARGET))
    elif item.get_closest_marker("stage") and target_of_item(item) == "live" and not options.live_writes:
        item.add_marker(pytest.mark.skip(reason=_NEEDS_WRITES))


def _use(item: pytest.Item, fixture: str) -> None:
    if isinstance(item, pytest.Function) and shares_our_loop(item):
        use_fixture(item, fixture)
