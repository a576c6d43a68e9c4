"""Async tests that use the plugin: they are marked for pytest-asyncio, or fail with what they cannot do.

pytest-asyncio makes the plugin's fixtures, so a test that uses one has to run there too, and on the same
loop: on another one the servers that the fixture opened would stand still.
"""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING, Final

import pytest

from pytest_hangfm.fenced import fixture_names
from pytest_hangfm.items import uses_plugin

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["QuietLoopScope", "mark_for_asyncio", "reason_not_to_run", "shares_our_loop"]

_EXTRA: Final = "pip install 'hangbot[test]'"
_ANYIO: Final = "anyio"
_WITHOUT_LOOP: Final = frozenset(
    {
        "hangfm_acks",
        "hangfm_allow_unknown_requests",
        "hangfm_allow_unused_faults",
        "hangfm_clock",
        "hangfm_no_leaks",  # added to tests that did not request it
        "hangfm_room_events",
        "hangfm_sandbox_options",
        "hangfm_target",
    }
)
_SCOPES: Final = ("function", "class", "module", "package", "session")


def _has_asyncio(config: pytest.Config) -> bool:
    """Whether pytest-asyncio takes part in this run."""
    return any(config.pluginmanager.hasplugin(name) for name in ("asyncio", "pytest_asyncio.plugin"))


class QuietLoopScope:
    """Silences pytest-asyncio's warning of an unset loop scope where a project has no configuration at all.

    The plugin's fixtures work under either default. A project with a configuration gets the warning.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Run before pytest-asyncio, which warns in the same hook."""
        if config.inipath is None and _has_asyncio(config):
            warnings.filterwarnings(
                "ignore",
                message='The configuration option "asyncio_default_fixture_loop_scope" is unset',
                category=pytest.PytestDeprecationWarning,
            )


def _is_async(item: pytest.Item) -> bool:
    """Whether a test is a coroutine function; hypothesis wraps the one that it calls with examples."""
    function = getattr(item, "obj", None)
    inner = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    return inspect.iscoroutinefunction(inner)


def mark_for_asyncio(collected: object) -> None:
    """Give every async test that uses the plugin the mark ``asyncio``, unless it has one of its own.

    Args:
        collected: What pytest made of a name in a module: a node, several, or ``None``.
    """
    for node in _nodes(collected):
        if not isinstance(node, pytest.Function) or not _is_async(node) or not _has_asyncio(node.config):
            continue
        has_its_own = any(node.get_closest_marker(name) for name in ("asyncio", _ANYIO, "trio"))
        if uses_plugin(node) and not has_its_own:
            node.add_marker("asyncio")


def _nodes(collected: object) -> Iterable[object]:
    return collected if isinstance(collected, list | tuple) else (collected,)


def reason_not_to_run(item: pytest.Item) -> str | None:
    """Return in one sentence why the plugin's async fixtures cannot serve a test, or ``None``."""
    name = next((name for name in fixture_names(item) if _needs_a_loop(name)), None)
    if name is None:
        return None
    if not _has_asyncio(item.config):
        return f"{name} needs the plugin pytest-asyncio: {_EXTRA}"
    if _is_anyios(item):
        return (
            f"{name} runs on pytest-asyncio, and this test on anyio: "
            "take the mark `anyio` off; the plugin marks the test by itself"
        )
    of_test, of_fixture = _loop_of_test(item), _loop_of_fixtures(item.config)
    if not _is_async(item) or of_test == of_fixture:
        return None
    return (
        f"this test runs on the event loop of its {of_test}, and {name} on that of its {of_fixture}: "
        f"take `loop_scope` off the mark, or set asyncio_default_fixture_loop_scope = {of_test} "
        f"and asyncio_default_test_loop_scope = {of_test}"
    )


def shares_our_loop(item: pytest.Item) -> bool:
    """Whether an async test runs on the loop of the plugin's fixtures."""
    on_asyncio = _is_async(item) and _has_asyncio(item.config) and not _is_anyios(item)
    return on_asyncio and _loop_of_test(item) == _loop_of_fixtures(item.config)


def _needs_a_loop(fixture: str) -> bool:
    return fixture.startswith("hangfm_") and fixture not in _WITHOUT_LOOP


def _is_anyios(item: pytest.Item) -> bool:
    return item.get_closest_marker(_ANYIO) is not None


def _loop_of_test(item: pytest.Item) -> str:
    marker = item.get_closest_marker("asyncio")
    given = marker.kwargs.get("loop_scope") if marker else None
    return str(given or item.config.getini("asyncio_default_test_loop_scope") or "function")


def _loop_of_fixtures(config: pytest.Config) -> str:
    given = config.getini("asyncio_default_fixture_loop_scope")
    return str(given) if given in _SCOPES else "function"
