"""Where tasks come from, so that one that was left running is named by its coroutine and line."""

from __future__ import annotations

import asyncio
import inspect
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["track_origins"]

_ASYNCIO: Final = str(Path(asyncio.__file__).parent)
_HERE: Final = __file__
_NUMBERED: Final = re.compile(r"Task-\d+\Z")
"""asyncio's default name."""


@contextmanager
def track_origins(
    loop: asyncio.AbstractEventLoop,
) -> Iterator[Callable[[asyncio.Task[Any]], str]]:
    """Note where each task of a loop is made, for as long as the block lasts.

    Yields:
        What describes a task: its name where it was given one, its coroutine, and where it was made.
    """
    origins: WeakKeyDictionary[asyncio.Task[Any], str] = WeakKeyDictionary()
    theirs = loop.get_task_factory()

    def make(loop: asyncio.AbstractEventLoop, coro: Any, **more: Any) -> Any:  # noqa: ANN401  as asyncio calls it
        task = theirs(loop, coro, **more) if theirs else asyncio.Task(coro, loop=loop, **more)
        if isinstance(task, asyncio.Task):
            origins[task] = _origin()
        return task

    def describe(task: asyncio.Task[Any]) -> str:
        name = "" if _NUMBERED.match(task.get_name()) else f"{task.get_name()}: "
        coroutine = getattr(task.get_coro(), "__qualname__", "a coroutine")
        made = f", made at {origins[task]}" if task in origins else ""
        return f"{name}{coroutine}{made}"

    loop.set_task_factory(make)
    try:
        yield describe
    finally:
        loop.set_task_factory(theirs)


def _origin() -> str:
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith((_ASYNCIO, _HERE)):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}" if frame else "an unknown place"
