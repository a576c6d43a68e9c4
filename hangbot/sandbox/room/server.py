"""The room socket: Primus and ActionHero on 127.0.0.1.

Three layers: this server (listening, handshake, heartbeat, endings), ``RoomDesk``
(what a frame asks for and who hears what), and ``Room`` (the rules).
"""

import asyncio
import logging
import ssl
import uuid
from typing import Any, Final

from websockets.asyncio.server import Server, ServerConnection, serve

from hangbot.sandbox.clock import SandboxClock, TimerHandle
from hangbot.sandbox.faults import Faults
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.people import People
from hangbot.sandbox.ports import HOST, bound_socket
from hangbot.sandbox.room import primus
from hangbot.sandbox.room.connection import RoomConnection
from hangbot.sandbox.room.desk import RoomDesk
from hangbot.sandbox.room.handshake import Handshake, bare, ours
from hangbot.sandbox.room.rooms import Rooms

__all__ = ["RoomServer"]

_SETTLE_S: Final = 0.2
_HANDSHAKE_S: Final = 2.0

# The client's token stands in the request line, and websockets logs request lines.
# It stands outside the logging tree, where no configuration can switch it on.
_silent: Final = logging.Logger("hangbot.sandbox.room", logging.CRITICAL + 1)  # noqa: LOG001  on purpose


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
        self._variants = rooms.variants
        self._handshake = Handshake(people, faults, journal, clock, rooms.variants)
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
        self._up_again: TimerHandle | None = None
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
        if self._up_again is not None:
            self._up_again.cancel()
        if self._coming_up is not None:
            await asyncio.wait([self._coming_up])
        self.desk.close()
        await self._stop_listening()
        self._socket.close()

    async def restart(self, down_ms: float = 0) -> None:
        """What a redeployment does: every connection ends without a close frame (1006).

        The room's state survives; the port refuses connections for ``down_ms`` on the
        sandbox's clock. Returns as soon as it is down, or up again when ``down_ms`` is 0.
        """
        if self._up_again is not None:
            self._up_again.cancel()
        await self._stop_listening()
        self._socket.close()
        self._socket = bound_socket(self.port)
        if down_ms > 0:
            self._up_again = self._clock.call_later(down_ms / 1000, self._come_up)
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
            process_request=self._handshake.on_request,
            process_response=bare,
            compression=None,
            server_header=None,
            open_timeout=None,
            ping_interval=None,
            max_size=primus.MAX_MESSAGE_BYTES,
            logger=_silent,
            # Who opens TCP and never shakes hands must not hold up the end.
            ssl_handshake_timeout=None if self._tls is None else _HANDSHAKE_S,
            create_connection=self._connection,  # type: ignore[arg-type]  # a factory does as well as a class
        )

    async def _stop_listening(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        # First the listener: a connection accepted meanwhile would be left over.
        await self._socket.refuse()
        server.close(close_connections=False)
        while self._tcp:
            self.disconnect_all()
            await asyncio.sleep(0)
        await self._socket.hang_up()  # who has not even shaken hands for TLS
        await server.wait_closed()

    def _come_up(self) -> None:
        self._coming_up = asyncio.get_running_loop().create_task(self._listen(), name="sandbox-room-restart")

    def _connection(self, *args: Any, **kwargs: Any) -> RoomConnection:  # noqa: ANN401  passed on as they are
        self._numbers += 1
        return RoomConnection(*args, hub=self, number=self._numbers, **kwargs)

    # -- one connection

    async def _handle(self, ws: ServerConnection) -> None:
        """Greet a connection that is open now; its frames are read where they arrive."""
        conn = ours(ws)
        if not conn.is_open:
            return
        conn.hero_id, conn.spark = str(uuid.uuid4()), primus.new_spark_id()
        conn.connected_ms = self._clock.now_ms()
        self._open[conn] = None
        self._journal.record("room", "in", "open", conn=conn.number, uid=conn.uid)
        if conn.ending is not None:
            self.desk.delivery.end(conn, conn.ending)
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
        self._journal.frame("out", conn.number, conn.uid, text, fault)

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
                # A ping that has not even left (the clock was advanced twice in one go) kills nobody.
                if not conn.ping_waits:
                    conn.finish()
                continue
            conn.alive, conn.ping_waits = False, True
            self.desk.delivery.send(conn, ping, frame, "room.ping")

    async def settle(self, within: float = _SETTLE_S) -> None:
        """Wait until a server that comes up is up, and everybody has answered the last ping, but not long."""
        if self._coming_up is not None:
            await asyncio.wait([self._coming_up])
        if any(not conn.alive for conn in self._open):
            try:
                await asyncio.wait_for(self._quiet.wait(), within)
            except TimeoutError:
                return
