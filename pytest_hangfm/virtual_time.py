"""Virtual time: an event loop whose clock jumps to the next timer when nothing else is to be done.

Sockets stay real: before each jump the loop gives loopback a moment to deliver what is on its
way. Only the loop's own clock jumps; `time.monotonic` goes on as ever.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_hangfm.fenced import loop_select, replace_in_loop

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["jump_over_waits"]

_GRACE: Final = 0.002
"""Real seconds without any I/O after which the clock may jump."""


@contextmanager
def jump_over_waits(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let a running loop's clock jump over its waits for as long as the block lasts."""
    if not isinstance(loop, asyncio.SelectorEventLoop):
        pytest.fail(
            f"virtual_time needs asyncio's own selector loop, not {type(loop).__name__}", pytrace=False
        )
    real_select, real_time, real_executor = loop_select(loop), loop.time, loop.run_in_executor
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
            return real_select(timeout)  # work on a thread takes real time
        before = real_time()
        events = real_select(_GRACE)
        if not events:
            jumped += max(0.0, timeout - (real_time() - before))
        return events

    with replace_in_loop(loop, time=time, run_in_executor=run_in_executor, select=select):
        yield
