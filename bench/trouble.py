"""A service in trouble, for the bot beside it: it hangs, refuses, or floods."""

import asyncio
from typing import Final, Literal

from hangbot.sandbox import Sandbox

__all__ = ["Trouble"]

Kind = Literal["hang", "refuse", "flood", "none"]

_RATE: Final = 2_000.0
"""Votes a second, and as many lines: some ten times what one core may spend on one bot of many."""


class Trouble:
    """Makes trouble for the bot of a sandbox, until it ends.

    Args:
        sandbox: Whose.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._flood: asyncio.Task[None] | None = None
        self._sent = 0

    async def turn(self, kind: Kind) -> int:
        """Turn to another kind of it; return how many frames the flood had that has ended.

        What hangs or refuses does so for every request, frame and connection.
        """
        sandbox, sent = self._sandbox, self._sent
        self._sent = 0
        sandbox.faults.clear()
        if self._flood is not None:
            self._flood.cancel()
            await asyncio.gather(self._flood, return_exceptions=True)
            self._flood = None
        if kind == "flood":
            self._flood = asyncio.create_task(self._pour(), name="bench-flood")
        elif kind != "none":
            for point in ("gateway.*", "chat.*", "room.*"):
                sandbox.faults.add(point, kind, times=0)
            sandbox.services.cut("chat")
            sandbox.services.cut("room")
        return sent

    async def _pour(self) -> None:
        """Vote and say lines, so often a second; the machine has to have time for others, too."""
        user, loop = self._sandbox.users.add("flood"), asyncio.get_running_loop()
        await user.join()
        began = loop.time()
        while True:
            if self._sent >= 2 * _RATE * (loop.time() - began):
                await asyncio.sleep(0.001)
                continue
            await user.vote(like=self._sent % 4 == 0)
            await user.say("a line among very many")
            self._sent += 2
