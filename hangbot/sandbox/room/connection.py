"""One client's connection to the room socket: WebSocket by websockets, without I/O of its own.

The frames are read where they arrive instead of through ``recv()``: the server must see
all frames of one read before it runs the first action (the limit of pending actions
counts them), and ten thousand actions a second leave no time for a task switch each.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol, cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import OPEN, State
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
# The client's token stands in the request line, and websockets logs request lines.
# It stands outside the logging tree, where no configuration can switch it on.
_silent: Final = logging.Logger("hangbot.sandbox.room", logging.CRITICAL + 1)  # noqa: LOG001  on purpose


class Hub(Protocol):
    """What a connection tells its server."""

    def on_open(self, conn: "RoomConnection") -> None:
        """The handshake is done."""

    def on_refused(self, conn: "RoomConnection", response: Response) -> None:
        """What was asked for is no handshake."""

    def on_data(self, conn: "RoomConnection", data: bytes, *, binary: bool) -> None:
        """A whole message arrived."""

    def on_out(self, conn: "RoomConnection", text: str, fault: int | None) -> None:
        """A frame was written."""

    def on_closing(self, conn: "RoomConnection", how: str, fault: int | None) -> None:
        """The server ends the connection: ``close``, ``close_deliberate`` or ``abort``."""

    def on_lost(self, conn: "RoomConnection") -> None:
        """It was open and is gone."""


class RoomConnection(asyncio.BufferedProtocol):
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

    transport: asyncio.Transport

    def __init__(self, hub: Hub, number: int) -> None:
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
        self._ws = ServerProtocol(max_size=primus.MAX_MESSAGE_BYTES, logger=_silent)
        # A view, because asyncio puts what TLS brings into slices of it.
        self._read_into = memoryview(bytearray(_READ_BYTES))
        self._cutter = FrameCutter()
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
    def close_code(self) -> int | None:
        """The code that its client closed with; ``None`` without one."""
        received = self._ws.close_rcvd
        return None if received is None or received.code == CloseCode.NO_STATUS_RCVD else int(received.code)

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return self._ws.state is OPEN and not self.transport.is_closing()

    # -- out

    def push(self, text: str, frame: bytes | None = None, *, fault: int | None = None) -> None:
        """Write one text frame; a reader that is 64 MiB behind is cut off.

        What is pushed in one turn of the event loop goes out in one write.
        """
        if not self.is_open:
            return
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
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
        self._ws.send_close()
        self._write()
        self._see_it_end()

    def fail(self, code: CloseCode) -> None:
        """Close with a code, and hear no more, as for what breaks the protocol."""
        self._flush()
        self._ws.fail(code)
        self._write()
        self._see_it_end()

    def abort(self, fault: int | None = None) -> None:
        """End the TCP connection without a close frame: the client sees 1006."""
        if not self.transport.is_closing():
            self.hub.on_closing(self, "abort", fault)
            self._flush()
            self.transport.abort()

    def _write(self) -> None:
        """Write what websockets has to say: the handshake, pongs, closes."""
        for piece in self._ws.data_to_send():
            if self.transport.is_closing():
                return
            if piece:
                self.transport.write(piece)
            elif self.transport.can_write_eof():
                self.transport.write_eof()
            else:
                self.transport.close()

    # -- in

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called when the request's head has been read."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        """Called by asyncio."""
        if self._end is not None:
            self._end.cancel()
        was_open = self._ws.state is not State.CONNECTING
        self._ws.receive_eof()
        if was_open:
            self.hub.on_lost(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  asyncio's signature
        """Called by asyncio."""
        return self._read_into

    def buffer_updated(self, nbytes: int) -> None:
        """Called by asyncio."""
        self.data_received(bytes(self._read_into[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Called with the request's head first, which comes alone."""
        if self._ws.state is not OPEN:
            self._hand_on(data)
            return
        for piece, is_text in self._cutter.feed(data):
            if is_text:
                self.hub.on_data(self, piece, binary=False)
            else:
                self._hand_on(piece)
            if self._ws.state is not OPEN:
                self._cutter.stop()

    def eof_received(self) -> None:
        """Called by asyncio."""
        if kept := self._cutter.stop():
            self._hand_on(kept)
        self._ws.receive_eof()
        self._write()

    def _hand_on(self, data: bytes) -> None:
        """Leave bytes to websockets."""
        self._flush()  # what websockets writes by itself (a close, a pong) comes after it
        self._ws.receive_data(data)
        events = self._ws.events_received()
        self._write()
        if self._ws.close_expected():
            self._see_it_end()
        for event in events:
            if isinstance(event, Request):
                self._open(event)
            elif isinstance(event, Frame) and event.opcode in _DATA:
                self._on_frame(event)
            elif isinstance(event, Frame) and event.opcode is Opcode.PING:
                self.alive = True  # Primus counts ping frames as life; pong frames it does not

    def _open(self, request: Request) -> None:
        response = self._ws.accept(request)
        done = response.status_code == HTTPStatus.SWITCHING_PROTOCOLS
        if done:
            del response.headers["Date"]  # ActionHero's 101 has neither date nor server
        self._ws.send_response(response)
        self._write()
        if done:
            self.hub.on_open(self)
        else:
            self.hub.on_refused(self, response)

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
            self._end = asyncio.get_running_loop().call_later(_FAREWELL_S, self.transport.abort)
