"""Waits that end early: when something that was waited for has changed, and when the program is to stop."""

import asyncio
from collections.abc import Coroutine
from typing import Any

__all__ = ["Stopped", "Waits"]


class Stopped(Exception):
    """The program is to stop: what waits goes on after its next start."""


class Waits:
    """The waits of one throttle."""

    def __init__(self) -> None:
        self.stopping = False
        """Whether the program is to stop: then nothing waits long."""
        self._tasks: dict[asyncio.Task[Any], None] = {}  # in order, so that a simulation wakes them alike

    def stop(self) -> None:
        """End every wait, from now on too, with `Stopped`."""
        self.stopping = True
        self.wake()

    def wake(self) -> None:
        """End every wait but the one that calls: each looks again at what it waits for."""
        current = asyncio.current_task()
        for task in tuple(self._tasks):
            if task is not current:
                task.cancel()

    async def run(self, waiting: Coroutine[Any, Any, object]) -> None:
        """Await something, or until `wake`; raises `Stopped` when the program is to stop."""
        if self.stopping:
            waiting.close()
            raise Stopped
        task = asyncio.create_task(waiting, name="hangbot-wait")
        self._tasks[task] = None
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        finally:
            self._tasks.pop(task, None)
        if not task.cancelled():
            task.result()
        if self.stopping:
            raise Stopped
