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
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from hangbot import is_loopback, read_claims
from hangbot.redact import Redactor
from pytest_hangfm.sessions.format import FORMAT, Event, without_secrets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path
    from typing import Literal, TextIO

    from websockets.asyncio.connection import Connection

__all__ = ["ABNORMAL", "LARGEST_FRAME", "Recording", "code_of", "end", "quiet", "recording", "uid_of"]

ABNORMAL: Final = 1006
LARGEST_FRAME: Final = 16 * 2**20
_NO_CODE: Final = 1005
_CLOSE_S: Final = 1.0
_OPEN_S: Final = 10.0

# The client's token stands in the request line, and websockets logs request lines.
quiet: Final = logging.Logger("pytest_hangfm.relay", logging.CRITICAL + 1)  # noqa: LOG001  out of everybody's reach


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

    async def relay(self, client: ServerConnection) -> None:
        """Pass on what one client and the room say to each other, until either ends it."""
        conn, path = next(self._numbers), client.request.path if client.request else "/"
        self._write(conn, "client", "open", uid_of(path))
        local = is_loopback(self._upstream)
        try:
            server = await connect(
                self._upstream + path,
                proxy=None if local else True,
                compression=None,
                ping_interval=None,  # what keeps the client alive is the client's own business
                close_timeout=_CLOSE_S,
                open_timeout=_OPEN_S,
                max_size=LARGEST_FRAME,
                logger=quiet,
            )
        except (OSError, InvalidHandshake):
            self._write(conn, "server", "close", code=ABNORMAL)
            client.transport.abort()
            return
        async with server:
            await self._both_ways(conn, client, server)

    async def _both_ways(self, conn: int, client: Connection, server: Connection) -> None:
        out = asyncio.create_task(
            self._pass(conn, "client", client, server), name=f"hangfm-record-{conn}-out"
        )
        back = asyncio.create_task(
            self._pass(conn, "server", server, client), name=f"hangfm-record-{conn}-in"
        )
        try:
            await asyncio.wait({out, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (out, back):
                task.cancel()
            await asyncio.gather(out, back, return_exceptions=True)
        for sender, ended, other in (("server", server, client), ("client", client, server)):
            if ended.close_code is not None:
                code = code_of(ended)
                self._write(conn, "server" if sender == "server" else "client", "close", code=code)
                await end(other, code)
                return

    async def _pass(
        self, conn: int, sender: Literal["client", "server"], source: Connection, sink: Connection
    ) -> None:
        try:
            while True:
                text = await source.recv()
                if isinstance(text, str):  # neither side ever sends anything else
                    self._write(conn, sender, "frame", without_secrets(text, self._redactor))
                await sink.send(text)
        except ConnectionClosed:
            return

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
    """Record every session of whoever connects to `Recording.url`, for as long as the block runs.

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
        async with serve(
            relay.relay,
            "127.0.0.1",
            0,
            compression=None,
            ping_interval=None,
            close_timeout=_CLOSE_S,
            max_size=LARGEST_FRAME,
            logger=quiet,
        ) as server:
            relay.url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
            yield relay


def uid_of(path: str) -> str:
    """Return the uid that the token in a connection's address names, or nothing."""
    claims = read_claims(parse_qs(urlsplit(path).query).get("token", [""])[-1])
    return (claims.uid if claims else None) or ""


def code_of(ended: Connection) -> int | None:
    """Return how a connection was ended by its other side: the code, ``None`` for none, 1006 for a cut."""
    received = ended.protocol.close_rcvd
    if received is None:
        return ABNORMAL
    return None if received.code == _NO_CODE else int(received.code)


async def end(connection: Connection, code: int | None) -> None:
    """End a connection as another one ended."""
    if code == ABNORMAL:
        connection.transport.abort()
    elif code is None:  # as Primus does; the library's own close always has a code
        connection.protocol.send_close(None, "")
        connection.send_data()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await connection.wait_closed()
        except TimeoutError:
            connection.transport.abort()
    else:
        await connection.close(code)
