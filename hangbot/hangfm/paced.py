"""A websocket of one bot among several: no more of it is read than leaves the others their time.

What is not read waits at the server, which notices that by TCP. A bot that has a process for itself reads as
fast as it can.
"""

from collections.abc import Awaitable
from typing import Final

from hangbot.clock import Clock
from hangbot.hangfm.socket import Connection, Dial
from hangbot.token_bucket import TokenBucket

__all__ = ["paced"]

_A_SECOND: Final = 500.0
"""Frames a second. One costs up to 0.1 ms: a bot with two connections has a tenth of the process at most."""
_AT_ONCE: Final = 1_000
"""Frames that may be read at once: everybody in a large room votes when a song begins."""
_SIZE: Final = 4_096
"""Characters of a frame that count as one more."""


def paced(dial: Dial, clock: Clock) -> Dial:
    """Return what opens the same connections, of which no more is read than so much a second.

    Args:
        dial: Opens them.
        clock: Measures and waits.
    """

    async def dial_paced(url: str, *, local: bool) -> Connection:
        return _Paced(await dial(url, local=local), clock)

    return dial_paced


class _Paced:
    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._bucket = TokenBucket(_A_SECOND, _AT_ONCE)
        self._wait = 0.0

    async def recv(self) -> str | bytes:
        """Return the next frame, after everything else of the process has had its turn."""
        await self._clock.sleep(self._wait)
        frame = await self._connection.recv()
        self._wait = self._bucket.take(self._clock.now(), 1 + len(frame) / _SIZE)
        return frame

    async def send(self, message: str) -> None:
        await self._connection.send(message)

    async def ping(self) -> Awaitable[float]:
        return await self._connection.ping()

    async def close(self) -> None:
        await self._connection.close()
