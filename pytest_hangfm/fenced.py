"""The one module with private names of pytest, pytest-asyncio, asyncio and allure.

Each of them may change with a new version of its library. So `pyproject.toml` caps these versions, and
``tests/plugin/test_fenced.py`` has a test for every name, which says what breaks without it.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from _pytest._io import TerminalWriter

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    import pytest

__all__ = [
    "LOG_HANDLERS",
    "RUNNER_FIXTURES",
    "Crash",
    "MaskedFailure",
    "crash_of",
    "drop_fixtures",
    "failure_text",
    "fixture_names",
    "loop_select",
    "pytest_log_handlers",
    "replace_in_loop",
    "rewrite_result",
    "use_fixture",
]

# -- pytest


def fixture_names(item: object) -> list[str]:
    """Return the names of all fixtures of a collected test; of another item there are none."""
    names: list[str] = getattr(item, "fixturenames", [])
    return names


def use_fixture(item: pytest.Function, name: str) -> None:
    """Give a collected test one more fixture, set up before and torn down after all others."""
    if name not in fixture_names(item):
        fixture_names(item).insert(0, name)


def drop_fixtures(item: pytest.Function, is_dropped: Callable[[str], bool]) -> None:
    """Take fixtures from a collected test, so that they are not set up for it."""
    fixture_names(item)[:] = [name for name in fixture_names(item) if not is_dropped(name)]


LOG_HANDLERS: Final = ("report_handler", "log_cli_handler", "log_file_handler")


def pytest_log_handlers(config: pytest.Config) -> list[logging.Handler]:
    """Return the handlers that write reports, live logs and ``log_file``; ``caplog`` has another one.

    The handlers of the root logger would include that of ``caplog``, whose text a test must get unmasked.
    """
    plugin = config.pluginmanager.get_plugin("logging-plugin")
    found = (getattr(plugin, name, None) for name in LOG_HANDLERS)
    return [handler for handler in found if isinstance(handler, logging.Handler)]


class Crash(NamedTuple):
    """Where and with which words a test failed, under the names by which pytest reads them."""

    path: str
    lineno: int
    message: str

    def __str__(self) -> str:
        """Return the line of ``--tb=line``: of the message only the first."""
        first, _, _ = self.message.partition("\n")
        return f"{self.path}:{self.lineno}: {first}"


def crash_of(report: pytest.TestReport | pytest.CollectReport) -> Crash | None:
    """Return where and with which words a test failed: the line of the short summary."""
    found: Any = getattr(report.longrepr, "reprcrash", None)
    return None if found is None else Crash(str(found.path), found.lineno, str(found.message))


def failure_text(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return a failure as the terminal shows it, without colours; `longreprtext` loses the first indent."""
    writer = TerminalWriter(file := StringIO())
    writer.hasmarkup = False
    report.toterminal(writer)
    return file.getvalue().rstrip()


class MaskedFailure:
    """The text of a failure in place of pytest's own tree; its terminal and junit read it by these names.

    Args:
        text: The whole failure, masked.
        crash: Where it failed, masked as well.
    """

    def __init__(self, text: str, crash: Crash | None) -> None:
        self._text = text
        if crash is not None:
            self.reprcrash = crash

    def __str__(self) -> str:
        return self._text.strip()

    def toterminal(self, tw: Any) -> None:  # noqa: ANN401  pytest's terminal writer
        """Write the text; pytest looks for this method."""
        tw.line(self._text)


# -- pytest-asyncio

RUNNER_FIXTURES: Final = (
    "_asyncio_loop_factory",
    *(f"_{scope}_scoped_runner" for scope in ("function", "class", "module", "package", "session")),
)
"""The fixtures that make an event loop: plumbing, which no report shows."""

# -- asyncio


def loop_select(loop: asyncio.SelectorEventLoop) -> Callable[[float | None], Any]:
    """Return the call in which a loop waits for its next timer and for sockets."""
    selector: Any = loop._selector  # type: ignore[attr-defined]  # noqa: SLF001  the one place where a loop waits
    select: Callable[[float | None], Any] = selector.select
    return select


@contextmanager
def replace_in_loop(
    loop: asyncio.SelectorEventLoop,
    *,
    time: Callable[[], float],
    run_in_executor: Callable[..., Any],
    select: Callable[[float | None], Any],
) -> Iterator[None]:
    """Replace three methods of one running loop for as long as the block runs.

    pytest-asyncio has a hook for loops of another class, but it re-parametrizes every async test of a run,
    also of those that do not use this plugin.
    """
    selector: Any = loop._selector  # type: ignore[attr-defined]  # noqa: SLF001  see above
    loop.time = time  # type: ignore[method-assign]  # of this one loop
    loop.run_in_executor = run_in_executor  # type: ignore[method-assign,assignment]  # of this one loop
    selector.select = select
    try:
        yield
    finally:
        del loop.time, loop.run_in_executor, selector.select


# -- allure


def rewrite_result(result: Any, rewrite: Callable[[str], str]) -> None:  # noqa: ANN401  Allure's, untyped
    """Rewrite every text of an Allure result in place, down to the parameters of its steps."""
    for name, value in list(vars(result).items()):
        if isinstance(value, str):
            setattr(result, name, rewrite(value))
        elif isinstance(value, list):
            value[:] = [rewrite(each) if isinstance(each, str) else each for each in value]
            for each in value:
                if hasattr(each, "__attrs_attrs__"):
                    rewrite_result(each, rewrite)
        elif hasattr(value, "__attrs_attrs__"):
            rewrite_result(value, rewrite)
