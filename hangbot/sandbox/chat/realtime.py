"""The chat server's real-time connections: whose they are, and what they are sent.

The envelope, the string code "200", the 30 s that an unauthenticated socket has, the ping
every 25 s and the silence towards what is not understood were measured on an OpenChat build
and captured from the unmodified JavaScript SDK 4.2.0. Nothing can be sent over the socket;
sending is always REST.
"""

import asyncio
import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Final

from hangbot.sandbox.chat.connection import CLOSED, FRAME_FAULTS, POINT, PUSH_FAULTS, ChatConnection
from hangbot.sandbox.chat.dialects import Dialect
from hangbot.sandbox.chat.realtime_rules import SocketRules
from hangbot.sandbox.chat.rows import Json, Push
from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.injector import FaultInjector
from hangbot.sandbox.journal import Journal
from hangbot.web.http import Request

__all__ = ["RealtimeConnections"]

UNAUTHENTICATED_S: Final = 30.0
PING_EVERY_S: Final = 25.0
CRASHED: Final = 1011


class RealtimeConnections:
    """All real-time connections of one chat server.

    Args:
        dialect: How the server speaks.
        clock: The sandbox's clock; both intervals run on it.
        injector: Faults on `chat.ws`.
        journal: Takes every frame.
        app_id: Stands in every envelope.
        rules: Which tokens open a connection, and what its frames do.
    """

    def __init__(
        self,
        *,
        dialect: Dialect,
        clock: SandboxClock,
        injector: FaultInjector,
        journal: Journal,
        app_id: str,
        rules: SocketRules,
    ) -> None:
        self._dialect = dialect
        self._clock = clock
        self._injector = injector
        self._journal = journal
        self._app_id = app_id
        self._rules = rules
        self._numbers = itertools.count(1)
        self._open: dict[int, ChatConnection] = {}
        self._by_uid: dict[str, dict[int, ChatConnection]] = {}

    def online(self, uid: str) -> bool:
        """Return whether a user has an authenticated socket."""
        return bool(self._by_uid.get(uid))

    # -- one connection

    def open(self, request: Request) -> None:
        """Upgrade a request; its connection lives by itself from then on."""
        number = next(self._numbers)
        connection = ChatConnection(self, number, request.target, self._journal, self._clock)
        request.hand_over(connection.socket)

    def on_open(self, connection: ChatConnection) -> None:
        """Part of ``ConnectionListener``."""
        self._open[connection.number] = connection
        self._journal.record("chat", "in", "open", conn=connection.number, path=connection.path)

        def expire() -> None:
            if connection.uid is None:
                connection.socket.close(CLOSED)

        connection.timers = [self._clock.call_later(UNAUTHENTICATED_S, expire)]
        self._book_ping(connection)

    def on_refused(self, connection: ChatConnection, status: int, body: str) -> None:
        """Part of ``ConnectionListener``."""
        self._journal.record("chat", "out", "http", path=connection.path, status=status, body=body)

    def _book_ping(self, connection: ChatConnection) -> None:
        """Book one ping, and the next only then: a clock that jumps a day is no day's worth of pings."""

        def ring() -> None:
            connection.socket.ping()
            asyncio.get_running_loop().call_soon(self._book_ping, connection)

        if connection.is_open:
            connection.timers[1:] = [self._clock.call_later(PING_EVERY_S, ring)]

    def on_closed(self, connection: ChatConnection) -> None:
        """Part of ``ConnectionListener``."""
        self._forget(connection)
        if connection.uid is not None and not self.online(connection.uid):
            self._announce(connection.uid, online=False)
        code = connection.socket.close_code
        self._journal.record("chat", "in", "close", conn=connection.number, uid=connection.uid, code=code)

    def _forget(self, connection: ChatConnection) -> None:
        self._open.pop(connection.number, None)
        connection.cancel_timers()
        self._leave(connection)

    def _leave(self, connection: ChatConnection) -> None:
        if connection.uid is not None:
            mine = self._by_uid.get(connection.uid, {})
            mine.pop(connection.number, None)
            if not mine:
                self._by_uid.pop(connection.uid, None)

    # -- frames in

    def on_ping(self, connection: ChatConnection) -> None:
        """Part of ``ConnectionListener``."""

    def on_sent(self, connection: ChatConnection, text: str, fault: int | None) -> None:
        """Part of ``ConnectionListener``."""
        row = {"conn": connection.number, "uid": connection.uid, "frame": text}
        self._journal.record("chat", "out", "frame", fault=fault, **row)

    def on_slow_reader(self, connection: ChatConnection) -> None:
        """Part of ``ConnectionListener``: nothing waits for a reader that is slow."""
        connection.socket.abort()

    def on_message(self, connection: ChatConnection, message: str | bytes) -> None:
        """Part of ``ConnectionListener``."""
        if isinstance(message, str) and connection.is_open:
            self._on_text(connection, message)

    def _on_text(self, connection: ChatConnection, text: str) -> None:
        self._journal.record("chat", "in", "frame", conn=connection.number, uid=connection.uid, frame=text)
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(frame, dict):
            return
        text_for_body = isinstance(frame.get("body"), str) and frame.get("type") in ("auth", "receipts")
        if text_for_body and self._dialect.name == "openchat":
            connection.socket.close(CRASHED)  # measured: it crashes
        elif frame.get("action") == "ping" or frame.get("type") == "ping":
            self._write(connection, '{"action":"pong"}')
        elif frame.get("type") == "auth":
            self._auth(connection, frame)
        elif connection.uid is not None:
            self.push(self._rules.frame(connection.uid, frame))

    def _auth(self, connection: ChatConnection, frame: Mapping[str, Json]) -> None:
        body = frame.get("body")
        uid = self._rules.user(self._rules.token_of(frame))
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
            "sender": uid or frame.get("sender", ""),
            "body": answer,
        }
        self._write(connection, json.dumps(reply, separators=(",", ":")))
        if uid is not None and came:
            self._announce(uid, online=True)

    def _announce(self, uid: str, *, online: bool) -> None:
        """Show a user coming or going to the connections that asked for it."""
        if not self._dialect.presence:
            return
        asked = (c.uid for c in self._open.values() if c.wants_presence and c.uid != uid)
        self.push(self._rules.presence(uid, tuple(dict.fromkeys(filter(None, asked))), online=online))

    # -- frames out

    def push(self, pushes: Iterable[Push]) -> None:
        """Send each frame to every socket of its recipients, in order."""
        if not self._by_uid:
            return
        for push in pushes:
            text = ""
            for uid in push.to:
                for connection in tuple(self._by_uid.get(uid, {}).values()):
                    if not self._dialect.echoes and (uid, connection.device) == (push.sender, push.device_id):
                        continue
                    text = text or json.dumps(self._dialect.frame(push, self._app_id), separators=(",", ":"))
                    if not connection.deaf:
                        self._write(connection, text, PUSH_FAULTS)

    def _write(self, connection: ChatConnection, text: str, kinds: frozenset[str] = FRAME_FAULTS) -> None:
        # A fault on `chat.*` means requests, an upgrade among them, and no frames.
        self._injector.send_frame(connection, text, POINT, kinds=kinds, exact=True)

    # -- the end

    def abort_all(self) -> None:
        """Drop every connection at once."""
        for connection in tuple(self._open.values()):
            connection.socket.abort()
