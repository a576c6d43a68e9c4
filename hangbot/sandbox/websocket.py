"""One WebSocket connection of the sandbox, for room and chat: the protocol by websockets, I/O by asyncio.

Frames are handled where they arrive instead of through ``recv()``: a server must see all frames of one
read before it runs the first action (its limit of pending actions counts them), and ten thousand actions
a second leave no time for a task switch each.
"""

import asyncio
import logging
from collections.abc import Iterable
from http import HTTPStatus
from itertools import islice
from typing import Final, Generic, TypeVar, cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import CONNECTING, OPEN
from websockets.server import ServerProtocol

from hangbot.sandbox.connection_listener import ConnectionListener, SocketOptions

__all__ = ["ABNORMAL", "ConnectionListener", "SocketOptions", "WebSocketConnection", "text_frame"]

ABNORMAL: Final = 1006
"""The code of a connection that ended without a close frame."""

_READ_BYTES: Final = 16 * 1024

Peer = TypeVar("Peer")

# Outside the logging tree, where no configuration can switch it on: request lines and frames hold tokens.
_silent: Final = logging.Logger("hangbot.sandbox.websocket", logging.CRITICAL + 1)  # noqa: LOG001  on purpose


def text_frame(text: str) -> bytes:
    """Return a whole unmasked text frame, made once for however many connections get it."""
    return Frame(Opcode.TEXT, text.encode("utf-8", "replace")).serialize(mask=False)


class WebSocketConnection(asyncio.BufferedProtocol, Generic[Peer]):
    """One connection, from its handshake to its end.

    It reads into a buffer of its own: for each read that asyncio itself makes room for, the system has
    to find a quarter of a megabyte and take it back (measured: 4 of the 36 µs of a vote).

    Args:
        listener: Hears what happens.
        peer: What the listener keeps about this connection.
        options: How it is treated.
    """

    transport: asyncio.Transport

    def __init__(self, listener: ConnectionListener[Peer], peer: Peer, options: SocketOptions) -> None:
        self._listener = listener
        self._peer = peer
        self._options = options
        self.flushes = 0
        """How often what was sent has been written."""
        self._ws = ServerProtocol(max_size=options.largest, logger=_silent)
        self._opened = False
        self._closing = False
        self._failed = False
        self._out: list[bytes] = []
        self._held: list[tuple[str, int | None]] = []
        self._gated = False
        self._parts: list[bytes] = []
        self._binary = False
        # A view, because asyncio puts what TLS brings into slices of it.
        self._read_into = memoryview(bytearray(_READ_BYTES))
        self._timeout: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether texts can be sent."""
        return not self._closing and not self.transport.is_closing() and self._ws.state is not CONNECTING

    @property
    def close_code(self) -> int | None:
        """The code that its client closed with, ``None`` for a close without one, 1006 for no close."""
        received = self._ws.close_rcvd
        if received is None:
            return ABNORMAL
        return None if received.code == CloseCode.NO_STATUS_RCVD else int(received.code)

    # -- out

    def send(self, text: str, frame: bytes | None = None, *, fault: int | None = None) -> None:
        """Send a text, and after it what was held back; nothing once the connection is closing.

        Args:
            text: The text.
            frame: Its frame, where it was made already.
            fault: Id of the fault that sends it, for the listener.
        """
        if self._gated:
            self._held.append((text, fault))
            return
        self.send_first(text, frame, fault=fault)
        if self._held:
            self._send_held()

    def hold_back(self, text: str, fault: int | None = None) -> None:
        """Keep a text until the next one was sent."""
        self._held.append((text, fault))

    def shut_gate(self) -> None:
        """Hold back everything until the gate opens."""
        self._gated = True

    def open_gate(self) -> None:
        """Send what was held back, in order."""
        self._gated = False
        self._send_held()

    def _send_held(self) -> None:
        held, self._held = self._held, []
        for text, fault in held:
            self.send_first(text, fault=fault)

    def send_first(self, text: str, frame: bytes | None = None, *, fault: int | None = None) -> None:
        """Send a text, and let what is held back wait on."""
        if not self.is_open:
            return
        if not self._out and self._options.corked:
            asyncio.get_running_loop().call_soon(self.flush)
        self._out.append(text_frame(text) if frame is None else frame)
        self._listener.on_sent(self._peer, text, fault)
        if not self._options.corked:
            self.flush()

    def flush(self) -> None:
        """Write what was sent so far."""
        out, self._out = self._out, []
        self.flushes += 1
        if out:
            self._write(out[0] if len(out) == 1 else b"".join(out))

    def ping(self) -> None:
        """Send a ping frame."""
        if self.is_open and self._ws.state is OPEN:
            self._ws.send_ping(b"")
            self._write_protocol()

    def close(self, code: int | None = None, *, at_once: bool = False) -> None:
        """Send a close frame, and end the connection when its client does not.

        Args:
            code: The code, or ``None`` for none.
            at_once: Whether to end the connection without waiting for the client.
        """
        if not self.is_open:
            return
        if self._ws.state is OPEN:
            self._ws.send_close(code)
        self._write_protocol()
        self._closing = True
        if at_once:
            self.transport.close()
        self._start_close_timeout()

    def fail(self, code: CloseCode) -> None:
        """Close with a code, and read no more, as for what breaks the protocol."""
        self._ws.fail(code)
        self._write_protocol()
        self._closing = self._failed = True
        self._start_close_timeout()

    def abort(self) -> None:
        """End the TCP connection: its client sees 1006. What was sent before is written."""
        if not self.transport.is_closing():
            self.flush()
            self.transport.abort()

    def _write_protocol(self) -> None:
        """Write what websockets has to send (handshake, pongs, closes), behind what was sent before."""
        self._write_pieces(self._ws.data_to_send())

    def _write_pieces(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.flush()
            if piece:
                self._write(piece)
            elif self.transport.is_closing():
                return
            elif self.transport.can_write_eof():
                self.transport.write_eof()
            else:
                self.transport.close()

    def _write(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(data)
        if self.transport.get_write_buffer_size() > self._options.backlog:
            self._listener.on_slow_reader(self._peer)

    def _start_close_timeout(self) -> None:
        """Abort the connection of a client that does not answer the close, or never hangs up."""
        if self._timeout is None:
            loop = asyncio.get_running_loop()
            self._timeout = loop.call_later(self._options.close_timeout_s, self.transport.abort)

    # -- in: what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with the connection on which the handshake was asked for."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        """Report the end."""
        if self._timeout is not None:
            self._timeout.cancel()
        self._ws.receive_eof()
        if self._opened:
            self._listener.on_closed(self._peer)

    def eof_received(self) -> None:
        """Close: a client that sends no more is gone."""
        self._ws.receive_eof()
        self._write_protocol()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  asyncio's signature
        """Return where the next read goes."""
        return self._read_into

    def buffer_updated(self, nbytes: int) -> None:
        """Handle what was read."""
        self.data_received(bytes(self._read_into[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Handle what a client sent, frame by frame."""
        ws = self._ws
        ws.receive_data(data)
        replies = iter(ws.data_to_send())  # a pong for each ping, then what ends the connection
        for event in ws.events_received():
            if isinstance(event, Frame):
                self._on_frame(event)
                if event.opcode is Opcode.PING:
                    self._write_pieces(islice(replies, 1))
            elif isinstance(event, Request):
                self._on_handshake(event)
        self._write_pieces(replies)
        self._write_protocol()
        if ws.state is not OPEN:
            # Only now: what came before a close, or before what breaks the protocol, is answered before it.
            self._closing = True
            if ws.close_expected():
                self._start_close_timeout()

    def _on_handshake(self, request: Request) -> None:
        response: Response = self._ws.accept(request)
        accepted = response.status_code == HTTPStatus.SWITCHING_PROTOCOLS
        if accepted and not self._options.dated:
            del response.headers["Date"]
        self._ws.send_response(response)
        self._write_protocol()
        if accepted:
            self._opened = True
            self._listener.on_open(self._peer)
        else:
            self._listener.on_refused(self._peer, response.status_code, (response.body or b"").decode())

    def _on_frame(self, frame: Frame) -> None:
        opcode = frame.opcode
        if self._failed:
            return
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            self._binary = opcode is Opcode.BINARY
        elif opcode is not Opcode.CONT:
            if opcode is Opcode.PING:
                self._listener.on_ping(self._peer)
            return
        whole = bytes(frame.data)
        if not frame.fin or self._parts:
            self._parts.append(whole)
            if not frame.fin:
                return
            whole, self._parts = b"".join(self._parts), []
        if self._binary:
            self._listener.on_message(self._peer, whole)
            return
        try:
            text = whole.decode()
        except UnicodeDecodeError:
            self.fail(CloseCode.INVALID_DATA)
        else:
            self._listener.on_message(self._peer, text)
