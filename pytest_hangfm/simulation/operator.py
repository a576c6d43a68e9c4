"""What an operator does to a running bot's outbox, from another process."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from hangbot import HangbotError, InlineWriter, Outbox, Settings, open_outbox
from pytest_hangfm.simulation import history as h
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.recorder import Recorder

__all__ = ["Operator"]

_TRIES: Final = 60
_EVERY: Final = 1.0


class Operator:
    """Drops and requeues messages by hand.

    Args:
        settings: The bot's configuration.
        clock: The machine's clock.
        recorder: Takes what was done.
        tasks: Runs what takes a while.
    """

    def __init__(
        self, settings: Settings, clock: SimulatedClock, recorder: Recorder, tasks: asyncio.TaskGroup
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._recorder = recorder
        self._tasks = tasks

    def drops_soon(self) -> Callable[[], int]:
        """Drop the first message that waits, as soon as one does; returns what counts it."""
        return self._soon(self._drop)

    def retries_soon(self) -> Callable[[], int]:
        """Queue what has failed again, as soon as something has; returns what counts it."""
        return self._soon(self._requeue)

    def _soon(self, act: Callable[[Outbox], Awaitable[int]]) -> Callable[[], int]:
        done = [0]

        async def look() -> None:
            for _ in range(_TRIES):
                await asyncio.sleep(_EVERY)
                try:
                    async with open_outbox(
                        self._settings, binds=False, clock=self._clock, make_writer=InlineWriter
                    ) as outbox:
                        done[0] += await act(outbox)
                except HangbotError:
                    continue  # the disk is in trouble, too: the operator tries again
                if done[0]:
                    return

        self._tasks.create_task(look(), name="operator")
        return lambda: done[0]

    async def _drop(self, outbox: Outbox) -> int:
        waiting = await outbox.rows(["queued"])
        for row in waiting[:1]:
            await outbox.drop([row.message.id], self._clock.wall())
            self._recorder.add(h.Dropped(self._recorder.now, row.message.id))
        return len(waiting[:1])

    async def _requeue(self, outbox: Outbox) -> int:
        failed = await outbox.rows(["failed", "uncertain"])
        keys = [row.message.id for row in failed]
        if keys:
            await outbox.requeue(keys, self._clock.wall())
            for key in keys:
                self._recorder.add(h.Requeued(self._recorder.now, key))
        return len(keys)
