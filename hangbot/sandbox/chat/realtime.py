"""The chat server's real-time connections: who is behind them, and what they are sent.

The envelope, the string code "200", the 30 s that an unauthenticated socket has, the ping
every 25 s and the silence towards what is not understood were measured on an OpenChat build
and captured from the unmodified JavaScript SDK 4.2.0. Nothing can be sent over the socket;
sending is always REST.
"""

import asyncio
import contextlib
import itertools
import json
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Final

from aiohttp import WSMsgType, web

from hangbot.sandbox.chat.connection import FRAME_FAULTS, POINT, Connection, garbage
from hangbot.sandbox.chat.dialects import Dialect
from hangbot.sandbox.chat.realtime_rules import SocketRules
from hangbot.sandbox.chat.rows import Json, Push
from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.faults import Fault, Faults
from hangbot.sandbox.journal import Journal

__all__ = ["SocketHub"]

UNAUTHENTICATED_S: Final = 30.0
PING_EVERY_S: Final = 25.0
LARGEST_FRAME: Final = 10_000_000
NO_LIMIT: Final = 2**60
BACKLOG_LIMIT: Final = 8 * 1024 * 1024
"""Bytes that a slow reader may owe; then his connection is dropped, so that nobody waits for him."""


class SocketHub:
    """All real-time connections of one chat server.

    Args:
        dialect: How the server speaks.
        clock: The sandbox's clock; both intervals run on it.
        faults: Faults on `chat.ws`.
        journal: Takes every frame.
        app_id: Stands in every envelope.
        rules: Who is let in, and what a frame does.
    """

    def __init__(
        self,
        *,
        dialect: Dialect,
        clock: SandboxClock,
        faults: Faults,
        journal: Journal,
        app_id: str,
        rules: SocketRules,
    ) -> None:
        self._dialect = dialect
        self._clock = clock
        self._faults = faults
        self._journal = journal
        self._app_id = app_id
        self._rules = rules
        self._numbers = itertools.count(1)
        self._open: dict[int, Connection] = {}
        self._by_uid: dict[str, dict[int, Connection]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def online(self, uid: str) -> bool:
        """Whether a user has an authenticated socket."""
        return bool(self._by_uid.get(uid))

    # -- one connection ----------------------------------------------------------------

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Upgrade a request and read its frames until the connection ends."""
        ws = web.WebSocketResponse(compress=False, max_msg_size=LARGEST_FRAME, timeout=1.0)
        await ws.prepare(request)
        transport = request.transport
        if not isinstance(transport, asyncio.Transport):
            return ws
        # Nobody may have to wait until somebody else has read: `_send` looks at the backlog itself.
        transport.set_write_buffer_limits(high=NO_LIMIT)
        connection = Connection(next(self._numbers), ws, transport)
        self._open[connection.number] = connection
        self._journal.record("chat", "in", "open", conn=connection.number, path=request.raw_path)
        self._book(connection)
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    await self._read(connection, message.data)
        except (ConnectionResetError, RuntimeError):
            pass  # it ended while an answer was written
        finally:
            self._forget(connection)
            if connection.uid is not None and not self.online(connection.uid):
                await self._announce(connection.uid, online=False)
            code = ws.close_code
            self._journal.record("chat", "in", "close", conn=connection.number, uid=connection.uid, code=code)
        return ws

    def _book(self, connection: Connection) -> None:
        """Set the two timers of a connection."""

        def expire() -> None:
            if connection.uid is None:
                self._spawn(self._close(connection), "chat socket: unauthenticated")

        connection.timers = [self._clock.call_later(UNAUTHENTICATED_S, expire)]
        self._book_ping(connection)

    def _book_ping(self, connection: Connection) -> None:
        def ring() -> None:
            self._spawn(self._ping(connection), "chat socket: ping")

        connection.timers[1:] = [self._clock.call_later(PING_EVERY_S, ring)]

    async def _ping(self, connection: Connection) -> None:
        """Ping, and only then book the next: a clock that jumps a day is no day's worth of pings."""
        with contextlib.suppress(ConnectionResetError, RuntimeError):
            await connection.ws.ping()
            if connection.number in self._open:
                self._book_ping(connection)

    async def _close(self, connection: Connection) -> None:
        with contextlib.suppress(ConnectionResetError, RuntimeError):
            await connection.ws.close(code=1000)

    def _spawn(self, coro: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _forget(self, connection: Connection) -> None:
        self._open.pop(connection.number, None)
        for timer in (*connection.timers, connection.gate):
            if timer is not None:
                timer.cancel()
        self._leave(connection)

    def _leave(self, connection: Connection) -> None:
        if connection.uid is not None:
            mine = self._by_uid.get(connection.uid, {})
            mine.pop(connection.number, None)
            if not mine:
                self._by_uid.pop(connection.uid, None)

    # -- frames in ---------------------------------------------------------------------

    async def _read(self, connection: Connection, text: str) -> None:
        self._journal.record("chat", "in", "frame", conn=connection.number, uid=connection.uid, frame=text)
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(frame, dict):
            return
        if frame.get("action") == "ping" or frame.get("type") == "ping":
            await self._write(connection, '{"action":"pong"}')
        elif frame.get("type") == "auth":
            await self._auth(connection, frame)
        elif connection.uid is not None:
            await self.push(self._rules.frame(connection.uid, frame))

    async def _auth(self, connection: Connection, frame: Mapping[str, Json]) -> None:
        body = frame.get("body")
        uid = self._rules.user(body.get("auth")) if isinstance(body, dict) else None
        came = False
        if uid is None and not self._dialect.socket_refuses:
            return
        answer = {"code": "200", "status": "OK"} if uid else {"code": "ERR_NO_AUTH", "status": "ERROR"}
        if uid is not None:
            self._leave(connection)
            connection.uid = uid
            connection.device = frame.get("deviceId")
            connection.wants_presence = isinstance(body, dict) and bool(body.get("presenceSubscription"))
            came = uid not in self._by_uid
            self._by_uid.setdefault(uid, {})[connection.number] = connection
        reply = {
            "appId": frame.get("appId", self._app_id),
            "receiver": "",
            "receiverType": "",
            "deviceId": frame.get("deviceId", ""),
            "type": "auth",
            "sender": frame.get("sender", ""),
            "body": answer,
        }
        await self._write(connection, json.dumps(reply, separators=(",", ":")))
        if uid is not None and came:
            await self._announce(uid, online=True)

    async def _announce(self, uid: str, *, online: bool) -> None:
        """Tell those who asked for it that somebody came or went."""
        if not self._dialect.presence:
            return
        asked = {c.uid for c in self._open.values() if c.wants_presence and c.uid not in (None, uid)}
        await self.push(self._rules.presence(uid, tuple(filter(None, asked)), online=online))

    # -- frames out --------------------------------------------------------------------

    async def push(self, pushes: Iterable[Push]) -> None:
        """Send each frame to every socket of those whom it is for, in order."""
        if not self._by_uid:
            return
        for push in pushes:
            text = ""
            for uid in push.to:
                for connection in tuple(self._by_uid.get(uid, {}).values()):
                    if not self._dialect.echoes and (uid, connection.device) == (push.sender, push.device_id):
                        continue
                    text = text or json.dumps(self._dialect.frame(push, self._app_id), separators=(",", ":"))
                    await self._write(connection, text)

    async def _write(self, connection: Connection, text: str) -> None:
        # A fault on `chat.*` means requests, an upgrade among them, and no frames.
        fault = self._faults.take(POINT, FRAME_FAULTS, exact=True)
        if fault is None:
            await self._release(connection, text)
            return
        self._record(connection, text, fault)
        await self._spoil(connection, text, fault)

    async def _spoil(self, connection: Connection, text: str, fault: Fault) -> None:
        match fault.do:
            case "duplicate":
                await self._release(connection, text)
                await self._release(connection, text)
            case "reorder":
                connection.held.append(text)
            case "delay":
                connection.held.append(text)
                connection.gate = self._clock.call_later(
                    (fault.ms or 0) / 1000, lambda: self._open_gate(connection)
                )
            case "garbage":
                await self._send(connection, garbage(fault.body))
            case "close":
                with contextlib.suppress(ConnectionResetError):
                    await connection.ws.send_frame(b"", WSMsgType.CLOSE)
                connection.transport.close()
            case "close_deliberate":
                self._spawn(self._close(connection), "chat socket: closed by a fault")
            case "drop":
                pass
            case _:
                connection.transport.abort()

    def _open_gate(self, connection: Connection) -> None:
        connection.gate = None
        held, connection.held = connection.held, []
        self._spawn(self._send_all(connection, held), "chat socket: delayed frames")

    async def _send_all(self, connection: Connection, texts: list[str]) -> None:
        for text in texts:
            await self._send(connection, text)

    async def _release(self, connection: Connection, text: str) -> None:
        """Send a frame, and after it what a `reorder` kept back; behind a `delay` it queues up."""
        if connection.gate is not None:
            connection.held.append(text)
            return
        held, connection.held = connection.held, []
        await self._send_all(connection, [text, *held])

    async def _send(self, connection: Connection, text: str) -> None:
        if connection.ws.closed or connection.transport.is_closing():
            return
        if connection.transport.get_write_buffer_size() > BACKLOG_LIMIT:
            connection.transport.abort()
            return
        self._record(connection, text, None)
        with contextlib.suppress(ConnectionResetError, RuntimeError):
            await connection.ws.send_str(text)

    def _record(self, connection: Connection, text: str, fault: Fault | None) -> None:
        data: dict[str, Any] = {"conn": connection.number, "uid": connection.uid, "frame": text}
        if fault is not None:
            data["deed"] = fault.do
        self._journal.record("chat", "out", "frame", fault=fault.id if fault else None, **data)

    # -- the end -----------------------------------------------------------------------

    def abort_all(self) -> None:
        """Drop every connection at once."""
        for connection in tuple(self._open.values()):
            connection.transport.abort()

    async def close(self) -> None:
        """Drop every connection and end what still runs."""
        self.abort_all()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
