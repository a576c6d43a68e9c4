"""The room socket: Primus and ActionHero on 127.0.0.1.

Three layers: this server (listening, handshake, heartbeat, endings), ``RoomDesk``
(what a frame asks for and who hears what), and ``Room`` (the rules).
"""

import asyncio
import logging
import socket
import ssl
import uuid
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from hangbot.errors import HangbotError
from hangbot.sandbox import primus
from hangbot.sandbox.clock import SandboxClock, TimerHandle
from hangbot.sandbox.faults import Fault, Faults
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.people import People
from hangbot.sandbox.room_connection import RoomConnection
from hangbot.sandbox.room_desk import RoomDesk
from hangbot.sandbox.rooms import Rooms

__all__ = ["HOST", "RoomServer", "bound_socket"]

HOST: Final = "127.0.0.1"
_PATH: Final = "/primus"
_SETTLE_S: Final = 0.2

# The client's token stands in the request line, and websockets logs request lines.
# It stands outside the logging tree, where no configuration can switch it on.
_silent: Final = logging.Logger("hangbot.sandbox.room", logging.CRITICAL + 1)  # noqa: LOG001  on purpose


def bound_socket(port: int) -> socket.socket:
    """A loopback socket that holds its port, but refuses connections until it listens.

    Raises:
        HangbotError: The port is taken.
    """
    # Named as TCP: asyncio switches Nagle's algorithm off only where it can see that.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, port))
    except OSError as exc:
        sock.close()
        raise HangbotError(
            f"cannot listen on {HOST}:{port}: {exc.strerror}",
            remedy="Choose another port, or 0 and let the system choose.",
        ) from exc
    return sock


class RoomServer:
    """Accepts room clients, sends heartbeats, ends connections in every way there is.

    Args:
        people: Whose tokens are good.
        rooms: The rooms.
        faults: What goes wrong.
        journal: Where everything is written.
        clock: The sandbox's clock.
        port: Port on 127.0.0.1, 0 = chosen by the kernel.
        tls: Server context for ``wss``, or ``None``.
    """

    def __init__(
        self,
        people: People,
        rooms: Rooms,
        faults: Faults,
        journal: Journal,
        clock: SandboxClock,
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._people = people
        self._variants = rooms.variants
        self._faults = faults
        self._journal = journal
        self._clock = clock
        self._tls = tls
        self._socket = bound_socket(port)
        self.port: int = self._socket.getsockname()[1]
        self._server: Server | None = None
        self._tcp: set[RoomConnection] = set()
        self._open: dict[RoomConnection, None] = {}
        self._numbers = 0
        self._heartbeat: TimerHandle | None = None
        self._coming_up: asyncio.Task[None] | None = None
        self._quiet: asyncio.Event = asyncio.Event()
        self.desk = RoomDesk(people, rooms, faults, journal, clock)

    @property
    def url(self) -> str:
        """Base that a bot is configured with."""
        return f"{'http' if self._tls is None else 'https'}://{HOST}:{self.port}"

    @property
    def connections(self) -> tuple[RoomConnection, ...]:
        """The open connections, oldest first."""
        return tuple(self._open)

    # -- life

    async def open(self) -> None:
        """Listen; start the heartbeat."""
        await self._listen()
        self._heartbeat = self._clock.call_every(self._variants.ping_interval_s, self.tick)

    async def close(self) -> None:
        """Cut every connection and stop listening; idempotent."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        if self._coming_up is not None:
            self._coming_up.cancel()
            await asyncio.wait([self._coming_up])
        self.desk.close()
        await self._stop_listening()
        self._socket.close()

    async def restart(self, down_ms: float = 0) -> None:
        """What a redeployment does: every connection ends without a close frame (1006).

        The room's state survives; the port refuses connections for ``down_ms`` on the
        sandbox's clock. Returns as soon as it is down, or up again when ``down_ms`` is 0.
        """
        await self._stop_listening()
        self._socket.close()
        self._socket = bound_socket(self.port)
        if down_ms > 0:
            self._clock.call_later(down_ms / 1000, self._come_up)
        else:
            await self._listen()

    def disconnect_all(self) -> None:
        """Cut every connection; go on listening."""
        for conn in tuple(self._tcp):
            conn.abort()

    async def _listen(self) -> None:
        self._server = await serve(
            self._handle,
            sock=self._socket,
            ssl=self._tls,
            process_request=self._on_request,
            process_response=_bare,
            compression=None,
            server_header=None,
            open_timeout=None,
            ping_interval=None,
            max_size=primus.MAX_MESSAGE_BYTES,
            logger=_silent,
            create_connection=self._connection,  # type: ignore[arg-type]  # a factory does as well as a class
        )

    async def _stop_listening(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        # First the listener: a connection accepted meanwhile would be left over.
        server.close(close_connections=False)
        while self._tcp:
            self.disconnect_all()
            await asyncio.sleep(0)
        await server.wait_closed()

    def _come_up(self) -> None:
        self._coming_up = asyncio.get_running_loop().create_task(self._listen(), name="sandbox-room-restart")

    def _connection(self, *args: Any, **kwargs: Any) -> RoomConnection:  # noqa: ANN401  passed on as they are
        self._numbers += 1
        return RoomConnection(*args, hub=self, number=self._numbers, **kwargs)

    # -- handshake

    async def _on_request(self, ws: ServerConnection, request: Request) -> Response | None:
        conn = _ours(ws)
        path = request.path.partition("?")[0]
        known: dict[str, bool] = {} if path.startswith(_PATH) else {"unknown_route": True}
        self._journal.record("room", "in", "http", conn=conn.number, method="GET", path=request.path, **known)
        if "websocket" not in request.headers.get("Upgrade", "").lower():
            return self._plain(conn, path)
        if known:
            await conn.wait_closed()  # nobody listens there, and nobody says so: the client has to time out
            return None
        fault = self._faults.take("room.connect")
        if fault is not None and (answer := await self._spoil_handshake(conn, fault)) is not None:
            return answer
        conn.token = _token(request.path)
        conn.person = self._people.by_token(conn.token)
        if conn.person is None and self._variants.bad_token == "handshake":  # noqa: S105  a policy, not a token
            return self._answer(conn, HTTPStatus.UNAUTHORIZED, "Unauthorized")
        return None

    async def _spoil_handshake(self, conn: RoomConnection, fault: Fault) -> Response | None:
        match fault.do:
            case "status" | "garbage":
                status = fault.status or (503 if fault.do == "status" else 200)
                body = fault.body if isinstance(fault.body, str) else primus.encode(fault.body or "")
                return self._answer(conn, status, body, headers=dict(fault.headers or {}), fault=fault.id)
            case "delay":
                self._note(conn, fault)
                over = asyncio.get_running_loop().create_future()
                self._clock.call_later((fault.ms or 0) / 1000, over.cancel)
                await asyncio.wait([over, conn.connection_lost_waiter], return_when=asyncio.FIRST_COMPLETED)
            case "hang" | "drop":
                self._note(conn, fault)
                await conn.wait_closed()
            case "close" | "close_deliberate" | "abort" | "cut_after_store":
                conn.ending = fault  # as soon as the handshake is done
            case "duplicate" | "reorder":
                self._note(conn, fault)  # a handshake has no twin and no neighbour
            case _:
                conn.abort(fault.id)
                await conn.wait_closed()
        return None

    def _plain(self, conn: RoomConnection, path: str) -> Response:
        if path == primus.SPEC_PATH:
            body = primus.spec(self._variants.ping_interval_s)
            return self._answer(conn, HTTPStatus.OK, body, {"Content-Type": "application/json"})
        if path.startswith(_PATH):
            return self._answer(conn, HTTPStatus.UPGRADE_REQUIRED, "Upgrade Required")
        return self._answer(conn, HTTPStatus.NOT_FOUND, "That file is not found")

    def _answer(
        self,
        conn: RoomConnection,
        status: int,
        body: str,
        headers: dict[str, str] | None = None,
        *,
        fault: int | None = None,
    ) -> Response:
        self._journal.record("room", "out", "http", fault=fault, conn=conn.number, status=status, body=body)
        raw = body.encode("utf-8", "replace")
        fields = {"Content-Type": "text/plain", **(headers or {})}
        fields |= {"Content-Length": str(len(raw)), "Connection": "close"}
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Unknown"
        return Response(status, phrase, Headers(fields), raw)

    def _note(self, conn: RoomConnection, fault: Fault) -> None:
        self._journal.record("room", "out", "http", fault=fault.id, conn=conn.number, deed=fault.do)

    # -- one connection

    async def _handle(self, ws: ServerConnection) -> None:
        """Greet a connection that is open now; its frames are read where they arrive."""
        conn = _ours(ws)
        if not conn.is_open:
            return
        conn.hero_id, conn.spark = str(uuid.uuid4()), primus.new_spark_id()
        conn.connected_ms = self._clock.now_ms()
        self._open[conn] = None
        self._journal.record("room", "in", "open", conn=conn.number, uid=conn.uid)
        if conn.ending is not None:
            self.desk.end(conn, conn.ending)
        else:
            self.desk.greet(conn)
        await conn.wait_closed()

    def on_made(self, conn: RoomConnection) -> None:
        """Part of ``Hub``."""
        self._tcp.add(conn)

    def on_data(self, conn: RoomConnection, data: bytes, *, binary: bool) -> None:
        """Part of ``Hub``."""
        self.desk.on_data(conn, data, binary=binary)
        if not self._quiet.is_set() and all(other.alive for other in self._open):
            self._quiet.set()

    def on_out(self, conn: RoomConnection, text: str, fault: int | None) -> None:
        """Part of ``Hub``."""
        self._journal.record("room", "out", "frame", fault=fault, conn=conn.number, uid=conn.uid, frame=text)

    def on_closing(self, conn: RoomConnection, how: str, fault: int | None) -> None:
        """Part of ``Hub``."""
        code = 1006 if how == "abort" else None
        self._journal.record(
            "room", "out", "close", fault=fault, conn=conn.number, uid=conn.uid, how=how, code=code
        )

    def on_lost(self, conn: RoomConnection) -> None:
        """Part of ``Hub``."""
        self._tcp.discard(conn)
        if self._open.pop(conn, self) is self:
            return
        self.desk.on_lost(conn)
        received = conn.protocol.close_rcvd
        code = None if received is None or received.code == 1005 else int(received.code)  # noqa: PLR2004  RFC 6455
        self._journal.record("room", "in", "close", conn=conn.number, uid=conn.uid, code=code)
        self._quiet.set()

    # -- heartbeat

    def tick(self) -> None:
        """One beat for all: who gave no sign of life since the last is closed, the others are pinged."""
        ping = primus.ping(self._clock.now_ms())
        frame = primus.text_frame(ping)
        self._quiet.clear()
        for conn in self.connections:
            if not conn.is_open:
                continue
            if not conn.alive:
                conn.finish()
                continue
            conn.alive = False
            self.desk.send(conn, ping, frame, "room.ping")

    async def settle(self, within: float = _SETTLE_S) -> None:
        """Wait until everybody has answered the last ping, but not long."""
        if any(not conn.alive for conn in self._open):
            try:
                await asyncio.wait_for(self._quiet.wait(), within)
            except TimeoutError:
                return


def _ours(ws: ServerConnection) -> RoomConnection:
    if not isinstance(ws, RoomConnection):  # `create_connection` makes no others
        raise TypeError(type(ws).__name__)
    return ws


def _bare(_ws: ServerConnection, _request: Request, response: Response) -> None:
    """A 101 as ActionHero gives it: without date and server."""
    if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
        del response.headers["Date"]


def _token(path: str) -> str:
    try:
        values = parse_qs(urlsplit(path).query, keep_blank_values=True).get("token", [""])
    except ValueError:
        return ""
    return values[-1]
