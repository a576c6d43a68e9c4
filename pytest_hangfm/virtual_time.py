"""Virtual time: an event loop whose clock jumps to the next timer when nothing else is to be done.

Sockets stay real: before each jump the loop gives loopback a moment to bring what is on its
way. Only the loop's own clock jumps; `time.monotonic` goes on as ever.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["jumping"]

_GRACE: Final = 0.002
"""Real seconds without any I/O after which the clock may jump."""


@contextmanager
def jumping(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let a running loop's clock jump for as long as the block lasts.

    Patched in place rather than made by a loop factory: pytest-asyncio asks for factories of
    every test of a run, also of those that are none of our business.
    """
    if not isinstance(loop, asyncio.SelectorEventLoop):
        pytest.fail(
            f"virtual_time needs asyncio's own selector loop, not {type(loop).__name__}", pytrace=False
        )
    selector: Any = loop._selector  # type: ignore[attr-defined]  # noqa: SLF001  the one place where it waits
    real_select, real_time, real_executor = selector.select, loop.time, loop.run_in_executor
    jumped = 0.0
    on_threads = 0

    def run_in_executor(*args: Any) -> Any:  # noqa: ANN401  as the original
        nonlocal on_threads
        future = real_executor(*args)
        on_threads += 1
        future.add_done_callback(returned)
        return future

    def returned(_: object) -> None:
        nonlocal on_threads
        on_threads -= 1

    def time() -> float:
        return real_time() + jumped

    def select(timeout: float | None = None) -> Any:  # noqa: ANN401  as the original
        nonlocal jumped
        if timeout is None or timeout <= _GRACE or on_threads:
            return real_select(timeout)  # what a thread does takes the time it takes
        before = real_time()
        events = real_select(_GRACE)
        if not events:
            jumped += max(0.0, timeout - (real_time() - before))
        return events

    loop.time = time  # type: ignore[method-assign]  # this one loop's, on purpose
    loop.run_in_executor = run_in_executor  # type: ignore[method-assign,assignment]  # this one loop's, on purpose
    selector.select = select
    try:
        yield
    finally:
        del loop.time, loop.run_in_executor, selector.select
