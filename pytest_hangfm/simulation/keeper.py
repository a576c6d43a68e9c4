"""Keeps a bot running in a simulated world, as a service manager does: one process after the other."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Final, Literal

from hangbot import AnyApp, Bot, HangbotError, Settings, exclusive, open_bot, open_outbox
from pytest_hangfm.simulation import history as h
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.disk import SimulatedDisk
from pytest_hangfm.simulation.faults.kind import Effect
from pytest_hangfm.simulation.loop import SimulatedLoop
from pytest_hangfm.simulation.observed import observed
from pytest_hangfm.simulation.process import Process
from pytest_hangfm.simulation.recorder import Recorder

__all__ = ["Keeper"]

_AWAY: Final = 5.0
"""Seconds until a bot that ended by itself is started again."""
_PUT_OUT: Final = 70.0
"""Seconds for which an operator leaves a bot alone that was put out of the room."""
_STOPS_WITHIN: Final = 60.0
"""Seconds beyond its drain limit for which a bot that was asked to stop is waited for."""
_LOOKS_EVERY: Final = 0.1

Sockets = Literal["reset", "fin", "silence"]


class Keeper:
    """Starts a bot, and starts it again when it has ended, until the world is over.

    Args:
        loop: The world's.
        settings: The bot's configuration.
        clock: Its clock.
        disk: What its outbox is on.
        random: Its randomness, and that of its processes.
        recorder: Takes what it does.

    Attributes:
        bot: The bot that runs, or ``None`` while there is none.
        settings: Its configuration; to be changed before `begin`.
    """

    def __init__(
        self,
        loop: SimulatedLoop,
        settings: Settings,
        *,
        clock: SimulatedClock,
        disk: SimulatedDisk,
        random: Random,
        recorder: Recorder,
    ) -> None:
        self.bot: Bot | None = None
        self.settings = settings
        self._loop = loop
        self._clock = clock
        self._disk = disk
        self._random = random
        self._recorder = recorder
        self._make_app: Callable[[], AnyApp] | None = None
        self._may_begin = asyncio.Event()
        self._process: Process | None = None
        self._away = _AWAY
        self._over = False
        self._stopping: asyncio.Task[None] | None = None

    @property
    def begun(self) -> bool:
        """Return whether it has an app to run."""
        return self._make_app is not None

    def begin(self, make_app: Callable[[], AnyApp]) -> None:
        """Have the first process begin.

        Args:
            make_app: Makes the app, anew for each process.
        """
        self._make_app = make_app
        self._may_begin.set()

    async def keep(self) -> None:
        """Run one process after the other, from `begin` to `stop`."""
        await self._may_begin.wait()
        while not self._over:
            self._away = _AWAY
            await self._run_once()
            until = self._loop.time() + self._away
            while not self._over and self._loop.time() < until:  # noqa: ASYNC110  virtual time
                await asyncio.sleep(_LOOKS_EVERY)

    async def stop(self) -> None:
        """Ask the bot to stop, for good, and wait until its process has ended."""
        self._over = True
        self._may_begin.set()
        await self._ask_to_stop()

    def say(self, text: str, key: str) -> None:
        """Have the bot say something of its own accord, if it runs."""
        if self.bot is not None and self._process is not None:
            self._process.run(_say(self.bot, text, key))

    # -- what faults do to it

    def crash_at_step(self, steps: int, sockets: Sockets, *, away: float) -> Effect:
        """Crash the process before one of its next callbacks, and start another after a while."""
        return self._end(lambda process: process.crash_at_step(steps), sockets, away)

    async def crash(self, *, away: float) -> None:
        """Crash the process now, and return when it is gone; another one begins after a while."""
        process = self._process
        self.crash_at_step(1, "reset", away=away)
        if process is not None:
            await process.crashed
        while self._process is process and process is not None:  # noqa: ASYNC110  virtual time
            await asyncio.sleep(_LOOKS_EVERY)

    def crash_at_commit(
        self, commits: int, when: Literal["before", "after"], sockets: Sockets, *, away: float
    ) -> Effect:
        """Crash the process at one of its next commits, and start another after a while."""
        return self._end(lambda process: process.crash_at_commit(commits, when), sockets, away)

    def restart(self, *, away: float) -> Effect:
        """Stop the process in order, and start another after a while."""
        if self.bot is None:
            return Effect(lambda: 0)
        self._away = away
        stopping = asyncio.create_task(self._ask_to_stop(), name="restart")
        self._stopping = stopping  # held, or it may be freed on its way
        return Effect.done()

    def _end(self, end: Callable[[Process], None], sockets: Sockets, away: float) -> Effect:
        process = self._process
        if process is None:
            return Effect(lambda: 0)
        self._loop.network.rules.at_crash = sockets
        self._away = away
        end(process)
        return Effect(lambda: int(not process.alive))

    # -- one process

    async def _run_once(self) -> None:
        recorder, loop = self._recorder, self._loop
        recorder.run += 1
        run = recorder.run
        process = self._process = loop.start_process(f"bot {run}")
        recorder.add(h.Started(loop.time(), run))
        with exclusive(self.settings.outbox):
            living = process.run(self._live(process), name=f"bot {run}")
            await asyncio.wait([living, process.crashed], return_when=asyncio.FIRST_COMPLETED)
        self.bot = self._process = None
        if not process.alive:
            recorder.add(h.Crashed(loop.time(), run))
            return
        error = living.exception()
        ending = "" if error is None else recorder.repeatable(f"{type(error).__name__}: {error}")
        recorder.add(h.Stopped(loop.time(), run, ending))
        if error is not None:
            if not isinstance(error, HangbotError):
                logging.getLogger("hangbot").error("the bot failed", exc_info=error)
            if type(error).__name__ == "RemovedFromRoom":
                self._away = _PUT_OUT

    async def _live(self, process: Process) -> None:
        settings, clock = self.settings, self._clock
        assert self._make_app is not None  # noqa: S101  it has begun
        app = observed(self._make_app(), self._recorder, settings.handler_timeout)
        random = Random(self._random.random())  # noqa: S311  to be repeatable
        writer = self._disk.writer_for(process)
        async with (
            open_outbox(settings, clock=clock, make_writer=writer) as outbox,
            open_bot(settings, outbox, app=app, clock=clock, rng=random, notify=self._recorder.step) as bot,
        ):
            self.bot = bot
            try:
                await bot.run()
            finally:
                self.bot = None

    async def _ask_to_stop(self) -> None:
        process, run = self._process, self._recorder.run
        if process is None:
            return
        while self.bot is None and process is self._process:  # noqa: ASYNC110  virtual time
            await asyncio.sleep(_LOOKS_EVERY)  # it opens its outbox, which a disk may hold up
        if self.bot is None or process is not self._process:
            return
        self._recorder.add(h.StopAsked(self._loop.time(), run))
        self.bot.stop()
        until = self._loop.time() + self.settings.drain + _STOPS_WITHIN
        while process is self._process and self._loop.time() < until:  # noqa: ASYNC110  virtual time
            await asyncio.sleep(_LOOKS_EVERY)


async def _say(bot: Bot, text: str, key: str) -> None:
    with suppress(HangbotError):  # not accepted: nothing was promised
        await bot.say(text, key=key)
