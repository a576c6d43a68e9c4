"""Tasks that come and go, in one task group: what one of them raises ends the group."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

__all__ = ["TaskPool"]


class TaskPool:
    """Starts tasks while it is open; before and after, none."""

    def __init__(self) -> None:
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[asyncio.Task[None], None] = {}  # in order, so that a simulation cancels them alike

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Be open for the block, and cancel at its end what still runs."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                yield
            finally:
                self._group = None
                for task in tuple(self._tasks):
                    task.cancel()

    @property
    def is_open(self) -> bool:
        """Whether tasks can be started."""
        return self._group is not None

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a task and return it; the pool must be open."""
        assert self._group is not None, "the pool is closed"  # noqa: S101  a fault of the caller
        task = self._group.create_task(work, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
        return task

    async def idle(self) -> None:
        """Return when no task runs any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)
