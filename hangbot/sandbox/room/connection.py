"""One client's connection to the room socket.

The frames are read where they arrive instead of through ``recv()``: the server must see
all frames of one read before it runs the first action (the limit of pending actions
counts them), and ten thousand actions a second leave no time for a task switch each.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

from websockets.asyncio.server import Server, ServerConnection
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

from hangbot.sandbox.room import primus
from hangbot.sandbox.room.frames import FrameCutter

if TYPE_CHECKING:
    from hangbot.sandbox.faults import Fault
    from hangbot.sandbox.people import Person

__all__ = ["Hub", "RoomConnection"]

_SLOW_READER_BYTES: Final = 64 * 1024 * 1024
_READ_BYTES: Final = 16 * 1024
_FAREWELL_S: Final = 2.0
_DATA: Final = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
_OPEN: Final = State.OPEN
_END_OF_HEAD: Final = b"\r\n\r\n"


class Hub(Protocol):
    """What a connection tells its server."""

    def on_made(self, conn: "RoomConnection") -> None:
        """A TCP connection was accepted."""

    def on_data(self, conn: "RoomConnection", data: bytes, *, binary: bool) -> None:
        """A whole message arrived."""

    def on_out(self, conn: "RoomConnection", text: str, fault: int | None) -> None:
        """A frame was written."""

    def on_closing(self, conn: "RoomConnection", how: str, fault: int | None) -> None:
        """The server ends the connection: ``close``, ``close_deliberate`` or ``abort``."""

    def on_lost(self, conn: "RoomConnection") -> None:
        """The TCP connection is gone."""


class RoomConnection(ServerConnection, asyncio.BufferedProtocol):
    """A connection with what Primus and ActionHero know of it.

    It reads into a buffer of its own: for each read that asyncio itself makes room for, the
    system has to find a quarter of a megabyte and take it back.

    Attributes:
        number: Counted per server from 1; the journal's ``conn``.
        hero_id: ActionHero's connection id.
        spark: Primus' connection id.
        person: Whose token it came with, or ``None`` for a bad one.
        token: The token itself.
        alive: Whether a sign of life came since the last ping.
        ping_waits: Whether the last ping waits for this turn of the event loop to end.
        listening: Whether the server reads frames already; before that they are lost.
        early: Frames that came before the server read, when they are kept.
        pending: Actions that are running.
        total: Actions run so far.
        rooms: The ActionHero rooms that it is in, with the time of joining in ms.
        ending: The fault that ends it as soon as its handshake is done.
    """

    def __init__(
        self,
        protocol: ServerProtocol,
        server: Server,
        *,
        hub: Hub,
        number: int,
        **kwargs: Any,  # noqa: ANN401  passed on as they are
    ) -> None:
        super().__init__(protocol, server, **kwargs)
        self.hub = hub
        self.number = number
        self.hero_id = ""
        self.spark = ""
        self.connected_ms = 0
        self.person: Person | None = None
        self.token = ""
        self.alive = True
        self.ping_waits = False
        self.listening = False
        self.early: list[tuple[bytes, bool]] | None = []
        self.pending = 0
        self.total = 0
        self.rooms: dict[str, int] = {}
        # A view, because asyncio puts what TLS brings into slices of it.
        self._read_into = memoryview(bytearray(_READ_BYTES))
        self._cutter = FrameCutter()
        self._requested = False
        self._held: list[tuple[str, int]] = []
        self._out: list[bytes] = []
        self._parts: list[bytes] = []
        self._binary = False
        self.ending: Fault | None = None
        self._end: asyncio.TimerHandle | None = None

    @property
    def uid(self) -> str | None:
        """Whose connection it is, if anybody's."""
        return None if self.person is None else self.person.uid

    @property
    def hold(self) -> str:
        """The name under which it keeps its user in a room."""
        return f"conn-{self.number}"

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return self.protocol.state is _OPEN and not self.transport.is_closing()

    # -- out

    def push(self, text: str, frame: bytes | None = None, *, fault: int | None = None) -> None:
        """Write one text frame; a reader that is 64 MiB behind is cut off.

        What is pushed in one turn of the event loop goes out in one write.
        """
        if not self.is_open:
            return
        if not self._out:
            self.loop.call_soon(self._flush)
        self._out.append(primus.text_frame(text) if frame is None else frame)
        self.hub.on_out(self, text, fault)
        if self._held:
            held, self._held = self._held, []
            for late, its_fault in held:
                self.push(late, fault=its_fault)

    def _flush(self) -> None:
        out, self._out = self._out, []
        self.ping_waits = False
        if out and not self.transport.is_closing():
            self.transport.write(out[0] if len(out) == 1 else b"".join(out))
            if self.transport.get_write_buffer_size() > _SLOW_READER_BYTES:
                self.abort()

    def hold_back(self, text: str, fault: int) -> None:
        """Keep a frame until the next one has gone out."""
        self._held.append((text, fault))

    def finish(self, *, deliberate: bool = False, fault: int | None = None) -> None:
        """Close without a code, as the service does; deliberately after ``primus::server::close``."""
        if not self.is_open:
            return
        if deliberate:
            self.push(primus.SERVER_CLOSE, fault=fault)
        self.hub.on_closing(self, "close_deliberate" if deliberate else "close", fault)
        self._flush()
        self.protocol.send_close(None, "")
        self.send_data()
        self._see_it_end()

    def abort(self, fault: int | None = None) -> None:
        """End the TCP connection without a close frame: the client sees 1006."""
        if not self.transport.is_closing():
            self.hub.on_closing(self, "abort", fault)
            self._flush()
            self.transport.abort()

    # -- in

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        super().connection_made(transport)
        self.hub.on_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        super().connection_lost(exc)
        if self._end is not None:
            self._end.cancel()
        self.hub.on_lost(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  asyncio's signature
        """Called by asyncio."""
        return self._read_into

    def buffer_updated(self, nbytes: int) -> None:
        """Called by asyncio."""
        self.data_received(bytes(self._read_into[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        state = self.protocol.state
        if state is not _OPEN:
            # Frames are cut where one is known to begin: right after the request, if that came in one piece.
            if state is not State.CONNECTING or self._requested or not _is_head(data):
                data = self._cutter.stop() + data
            self._hand_on(data)
            return
        for piece, is_text in self._cutter.feed(data):
            if is_text:
                self.hub.on_data(self, piece, binary=False)
            else:
                self._hand_on(piece)
            if self.protocol.state is not _OPEN:
                self._cutter.stop()

    def eof_received(self) -> None:
        """Called by asyncio."""
        if kept := self._cutter.stop():
            self._hand_on(kept)
        super().eof_received()

    def _hand_on(self, data: bytes) -> None:
        """Leave bytes to websockets."""
        self._flush()  # what websockets writes by itself (a close, a pong) comes after it
        super().data_received(data)
        if self.protocol.close_expected():
            self._see_it_end()

    def process_event(self, event: Event) -> None:
        """Called by websockets for the request and for every frame."""
        if isinstance(event, Request):
            self._requested = True
            super().process_event(event)
        elif isinstance(event, Frame) and event.opcode in _DATA:
            self._on_frame(event)
        elif isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.alive = True  # Primus counts ping frames as life; pong frames it does not

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._binary = frame.opcode is Opcode.BINARY
        if frame.fin and not self._parts:
            self.hub.on_data(self, bytes(frame.data), binary=self._binary)
            return
        self._parts.append(bytes(frame.data))
        if frame.fin:
            whole, self._parts = b"".join(self._parts), []
            self.hub.on_data(self, whole, binary=self._binary)

    def _see_it_end(self) -> None:
        """A peer that does not answer the close, or never hangs up, is hung up on."""
        if self._end is None:
            self._end = self.loop.call_later(_FAREWELL_S, self.transport.abort)


def _is_head(data: bytes) -> bool:
    """Whether what was read ends where a request's head ends, and not after it."""
    _, end, more = data.partition(_END_OF_HEAD)
    return bool(end) and not more
