"""The bot of a scenario: started, signalled, ended, started again; and what is known of each of its lives."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from hangbot.redact import Redactor
from pytest_hangfm.proof import looks
from pytest_hangfm.proof.bot_process import run_of, running, secrets_of
from pytest_hangfm.proof.evidence import Mark, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from hangbot.sandbox import Sandbox
    from pytest_hangfm.process import BotProcess
    from pytest_hangfm.proof.bot_process import Home
    from pytest_hangfm.proof.profile import Profile

__all__ = ["BotHandle"]

_TICK: Final = 0.05
_RESTART_AFTER: Final = 1.0
_LOOKS: Final = 2
_BETWEEN_LOOKS: Final = 0.5
"""Seconds between two looks at a health page."""


class BotHandle:
    """The bot of a scenario.

    Attributes:
        sandbox: Hang.fm.
        profile: What the bot does.
        bot: Its process while there is one.

    Args:
        sandbox: Where it lives.
        home: The bot's folder, and how it is started.
        profile: What it does.
    """

    def __init__(self, sandbox: Sandbox, home: Home, profile: Profile) -> None:
        self.sandbox, self.profile = sandbox, profile
        self.bot: BotProcess | None = None
        self._home = home
        self._marks: list[Mark] = []
        self._printed: dict[int, int] = {}
        self._runs: list[Run] = []
        self._began_ms = 0
        self._secrets: set[str] = set()
        self._health = profile.health
        self._env: dict[str, str] = {}
        self._end_was_asked_for = False
        self._restarts = 0
        if "{port}" in profile.health:
            port = str(looks.free_port())
            self._health = profile.health.replace("{port}", port)
            self._env[profile.port_env] = port

    # -- its process

    async def start(self, **env: str) -> BotProcess:
        """Start the bot, in the place of one that may be there still; wait for nothing."""
        await self.stop()
        self._secrets.update(secrets_of(self.sandbox))
        self.mark("the bot is started")
        self._end_was_asked_for = False
        self._began_ms = self.sandbox.clock.now_ms()
        given = self.sandbox.env_without_exchange() if self.profile.chat_token else {}
        self.bot = await self._home.start(self.sandbox, {**given, **self._env, **env})
        return self.bot

    @property
    def has_ended(self) -> bool:
        """Whether the bot's process has ended."""
        return self.bot is not None and self.bot.returncode is not None

    @property
    def has_ended_itself(self) -> bool:
        """Whether the bot's process has ended without being asked to."""
        return self.has_ended and not self._end_was_asked_for

    async def ended(self, *, within: float) -> int | None:
        """Wait for its end and return the exit code; ``None`` where it runs on."""
        if self.bot is None:
            return None
        with suppress(TimeoutError):
            return await asyncio.wait_for(self.bot.ended(), within)
        return None

    def signal(self, number: int) -> None:
        """Send the bot a signal, as whatever started it would."""
        self.mark(signal.Signals(number).name)
        self._end_was_asked_for = True
        if self.bot is not None:
            self.bot.send_signal(number)

    async def kill(self) -> None:
        """Kill the bot (SIGKILL): it gets to do nothing any more."""
        self.mark(signal.SIGKILL.name)
        self._end_was_asked_for = True
        if self.bot is not None:
            await self._home.kill(self.bot)

    async def end(self, number: int, *, within: float = 10.0) -> None:
        """End this life of the bot by a signal, or at last by force."""
        if number == signal.SIGKILL:
            await self.kill()
        else:
            self.signal(number)
        await self.ended(within=within)
        await self.stop()

    async def stop(self) -> None:
        """End the bot whatever it does, and keep what is known of this life."""
        if self.bot is None:
            return
        bot, self.bot = self.bot, None
        code = bot.returncode
        self._secrets.update(secrets_of(self.sandbox))
        try:
            await bot.stop(within=2.0)
            if self._home.is_container:
                await self._home.kill(bot)  # by now only what started it has ended for certain
        finally:
            run = run_of(bot, self._began_ms, tuple(self._secrets), Redactor(self._secrets))
            self._runs.append(Run(run.began_ms, code, run.lines, run.leaks))

    def supervise(self, times: int = 5) -> None:
        """Start the bot again where it ends with a non-zero code, as a container's restart policy would."""
        self._restarts = times

    async def revive(self) -> bool:
        """Start the bot again where it has ended so, and is supervised; return whether it was."""
        if self.bot is None or not self.bot.returncode or not self._restarts:
            return False
        self._restarts -= 1
        await self.stop()
        await asyncio.sleep(_RESTART_AFTER)
        await self.start()
        return True

    def processes(self) -> list[int]:
        """Return the ids of its processes, as far as the system shows them."""
        return running(self._home.run_id)

    # -- what it prints, and what is seen of it

    def printed(self) -> bool:
        """Whether this life of the bot has printed anything."""
        return self.bot is not None and any(line.strip() for line in self.bot.lines)

    def printed_since(self, mark: int) -> bool:
        """Whether this life of the bot has printed anything since a mark."""
        return self.bot is not None and len(self.bot.lines) > self._printed.get(mark, 0)

    def memory(self) -> int | None:
        """Return the bytes that it holds in memory; ``None`` where they cannot be measured."""
        if self.bot is None or self._home.is_container:
            return None
        return looks.memory_of(self.bot.pid)

    async def is_well(self) -> bool:
        """Whether its health page answers 2xx."""
        status = await looks.request(self._health)
        return status is not None and 200 <= status < 300  # noqa: PLR2004  what HTTP calls success

    async def turns(self, *, well: bool, within: float) -> bool:
        """Wait until its health page says that it is well, or that it is not; return whether it does.

        It has to say so twice in a row: for a moment, between two connections, any page may be red.
        """
        loop = asyncio.get_running_loop()
        latest, seen = loop.time() + within, 0
        while seen < _LOOKS:
            seen = seen + 1 if await self.is_well() == well else 0
            if loop.time() > latest or self.has_ended:
                return False
            await asyncio.sleep(_BETWEEN_LOOKS)
        return True

    def mark(self, what: str) -> int:
        """Note what the scenario does; return the number of the journal's last row."""
        n = self.sandbox.journal.last_n
        self._marks.append(Mark(n, self.sandbox.clock.now_ms(), what))
        self._printed[n] = 0 if self.bot is None else len(self.bot.lines)
        return n

    async def until(self, holds: Callable[[], bool], *, within: float) -> bool:
        """Wait until something holds; return whether it does."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not holds():  # noqa: ASYNC110  a process and a room have no event in common
                    await asyncio.sleep(_TICK)
        return holds()

    def end_in_words(self) -> str:
        """Return its exit code in words; empty while it runs."""
        code = None if self.bot is None else self.bot.returncode
        return "" if code is None else f" (exit code {code})"
