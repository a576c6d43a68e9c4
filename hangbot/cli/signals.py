"""SIGINT and SIGTERM: the first asks to stop, the second stops."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["SecondSignal", "stopping"]


class SecondSignal(Exception):
    """The operator asked a second time."""


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at the first signal; at the second, leave the block with `SecondSignal`."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    seen = 0

    def on_signal() -> None:
        nonlocal seen
        seen += 1
        if seen == 1:
            stop()
        elif task is not None:
            task.cancel()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    except asyncio.CancelledError:
        if seen > 1:
            raise SecondSignal from None
        raise
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
