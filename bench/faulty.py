"""A faulty network in front of a room server: it loses requests, answers and connections.

It stands between the client and an unchanged sandbox and knows of frames only what it must:
which are actions, which are their answers. Its randomness is seeded, so a run can be repeated.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

__all__ = ["FaultyRoom"]

_LOST_REQUESTS: Final = 0.05
_LOST_ANSWERS: Final = 0.05
_DROPPED_CONNECTIONS: Final = 0.004
"""A share of the actions: some eight in two thousand."""
_LARGEST_FRAME: Final = 16 * 2**20


class FaultyRoom:
    """The network, and what it saw: which ``updateNextSong`` the server carried out, and how often.

    Args:
        server: The address of the room server behind it.
        rng: What decides; seeded by whoever makes it.
    """

    def __init__(self, server: str, rng: random.Random) -> None:
        self._server = server.replace("http", "ws", 1)
        self._rng = rng
        self._done: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()

    def report(self) -> dict[str, Any]:
        """Return how often each song took effect, and what was lost."""
        return {"done": dict(self._done), "lost": dict(self._lost)}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Stand in front of the server; yields the address for the client."""
        options = {"compression": None, "max_size": _LARGEST_FRAME, "ping_interval": None}
        async with serve(self._relay, "127.0.0.1", 0, **options) as server:  # type: ignore[arg-type]  # mypy takes the mapping for one type
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _relay(self, client: ServerConnection) -> None:
        path = client.request.path if client.request else "/"
        url = f"ws://{urlsplit(self._server).netloc}{path}"
        async with connect(
            url, proxy=None, compression=None, max_size=_LARGEST_FRAME, ping_interval=None
        ) as server:
            songs: dict[object, str] = {}
            outward = asyncio.create_task(self._answers(server, client, songs), name="bench-faulty-answers")
            try:
                await self._requests(client, server, songs)
            finally:
                outward.cancel()
                await asyncio.gather(outward, return_exceptions=True)

    async def _requests(
        self, client: ServerConnection, server: ClientConnection, songs: dict[object, str]
    ) -> None:
        with suppress(ConnectionClosed):
            async for text in client:
                frame = json.loads(text)
                params = frame.get("params", {}) if isinstance(frame, dict) else {}
                if params.get("action") == "updateNextSong":
                    if self._rng.random() < _LOST_REQUESTS:
                        self._lost["requests"] += 1
                        continue
                    if self._rng.random() < _DROPPED_CONNECTIONS:
                        self._lost["connections"] += 1
                        client.transport.abort()
                        return
                    songs[frame["messageId"]] = params["song"]["trackName"]
                await server.send(text)

    async def _answers(
        self, server: ClientConnection, client: ServerConnection, songs: dict[object, str]
    ) -> None:
        with suppress(ConnectionClosed):
            async for text in server:
                frame = json.loads(text)
                song = songs.pop(frame.get("messageId"), None) if isinstance(frame, dict) else None
                if song is not None:
                    self._done[song] += "error" not in frame
                    if self._rng.random() < _LOST_ANSWERS:
                        self._lost["answers"] += 1
                        continue
                await client.send(text)
