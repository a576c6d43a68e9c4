"""Recording a room session: a relay on loopback that stands between any client and the room socket.

Any client, in this process or another, is recorded alike, and what is written is what was on the
wire. The token is in the address of the connection, which is passed on and not written.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from hangbot import is_loopback
from hangbot.redact import Redactor
from hangbot.sandbox import ServedSocket, serve_websocket
from pytest_hangfm.sessions.format import FORMAT, Event, uid_of, without_secrets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path
    from typing import Literal, TextIO

__all__ = ["Recording", "recording"]

_ABNORMAL: Final = 1006
_LARGEST_FRAME: Final = 16 * 2**20
_NO_CODE: Final = 1005
_CLOSE_S: Final = 1.0
_OPEN_S: Final = 10.0

# The client's token stands in the request line, and websockets logs request lines.
_quiet: Final = logging.Logger("pytest_hangfm.relay", logging.CRITICAL + 1)  # noqa: LOG001  on purpose, see above


class Recording:
    """A relay that writes down what it passes on.

    Attributes:
        url: What a client is given as ``SOCKET_SERVER_URL`` (setting ``room_url``).
        path: The file; complete when the test ends, and readable before.
        frames: How many frames were written so far.
    """

    def __init__(self, path: Path, file: TextIO, upstream: str, redactor: Redactor) -> None:
        self.url = ""
        self.path = path
        self.frames = 0
        self._file = file
        self._upstream = upstream.replace("http", "ws", 1)
        self._redactor = redactor
        self._began = time.monotonic()
        self._numbers = itertools.count(1)

    async def relay(self, client: ServedSocket) -> None:
        """Pass on what one client and the room send each other, until either ends it."""
        conn = next(self._numbers)
        self._write(conn, "client", "open", uid_of(client.path))
        try:
            room = await connect(
                self._upstream + client.path,
                proxy=None if is_loopback(self._upstream) else True,
                compression=None,
                ping_interval=None,  # what keeps the client alive is the client's own business
                close_timeout=_CLOSE_S,
                open_timeout=_OPEN_S,
                max_size=_LARGEST_FRAME,
                logger=_quiet,
            )
        except (OSError, InvalidHandshake):
            self._write(conn, "server", "close", code=_ABNORMAL)
            client.end(_ABNORMAL)
            return
        async with room:
            await self._both_ways(conn, client, room)

    async def _both_ways(self, conn: int, client: ServedSocket, room: ClientConnection) -> None:
        out = asyncio.create_task(self._to_room(conn, client, room), name=f"hangfm-record-{conn}-out")
        back = asyncio.create_task(self._to_client(conn, client, room), name=f"hangfm-record-{conn}-in")
        try:
            await asyncio.wait({out, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (out, back):
                task.cancel()
            await asyncio.gather(out, back, return_exceptions=True)
        if room.close_code is not None:
            code = None if room.close_code == _NO_CODE else room.close_code
            self._write(conn, "server", "close", code=code)
            client.end(code)
        elif (code := client.close_code) == _ABNORMAL:
            self._write(conn, "client", "close", code=code)
            room.transport.abort()
        else:
            self._write(conn, "client", "close", code=code)
            await room.close(*(() if code is None else (code,)))  # websockets closes with a code always

    async def _to_room(self, conn: int, client: ServedSocket, room: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for text in client:
                self._write(conn, "client", "frame", without_secrets(text, self._redactor))
                await room.send(text)

    async def _to_client(self, conn: int, client: ServedSocket, room: ClientConnection) -> None:
        async for text in room:
            if isinstance(text, str):  # the room never sends anything else
                self._write(conn, "server", "frame", without_secrets(text, self._redactor))
                client.send(text)

    def _write(
        self,
        conn: int,
        sender: Literal["client", "server"],
        kind: Literal["frame", "open", "close"],
        text: str = "",
        code: int | None = None,
    ) -> None:
        t_ms = round((time.monotonic() - self._began) * 1000)
        event = Event(sender, kind, text, code, conn, t_ms)
        self._file.write(json.dumps(event.as_row(), ensure_ascii=False) + "\n")
        self.frames += kind == "frame"


@asynccontextmanager
async def recording(
    path: Path, upstream: str, *, secrets: Iterable[str] = (), what: str
) -> AsyncIterator[Recording]:
    """Record every session of the clients that connect to `Recording.url`, for as long as the block runs.

    Args:
        path: The file to write; what is there is overwritten.
        upstream: Address of the real room socket, or of the sandbox's.
        secrets: What is to be masked besides everything that has the shape of a token.
        what: A sentence on what is recorded, for the file's first line.

    Raises:
        OSError: The file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Line by line: what was recorded stays readable however the test ends.
    with path.open("w", encoding="utf-8", buffering=1) as file:
        file.write(json.dumps({"recorded": what, "format": FORMAT}, ensure_ascii=False) + "\n")
        relay = Recording(path, file, upstream, Redactor(secrets))
        async with serve_websocket(relay.relay) as relay.url:
            yield relay
