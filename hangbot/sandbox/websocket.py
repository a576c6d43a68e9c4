"""One real-time connection: WebSocket by websockets, frames read where they arrive.

Which faults hit it: an upgrade and a frame are both passages of `chat.ws`, but a dropped frame
is no refused upgrade: each waits for the kind of passage that it is about.
"""

import asyncio
import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol, cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import CONNECTING, OPEN
from websockets.server import ServerProtocol

from hangbot.sandbox.chat.rows import Json
from hangbot.sandbox.faults import FRAME_DEEDS, REQUEST_DEEDS

if TYPE_CHECKING:
    from hangbot.sandbox.clock import TimerHandle

__all__ = ["FRAME_FAULTS", "POINT", "UPGRADE_FAULTS", "Connection", "garbage"]

POINT: Final = "chat.ws"
FRAME_FAULTS: Final = FRAME_DEEDS | {"delay", "garbage"}
UPGRADE_FAULTS: Final = REQUEST_DEEDS - FRAME_FAULTS

_LARGEST_FRAME: Final = 10_000_000
BACKLOG_LIMIT: Final = 8 * 1024 * 1024
"""Bytes that a slow reader may owe; then his connection is dropped, so that nobody waits for him."""
_FAREWELL_S: Final = 1.0
_DATA: Final = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
# Outside the logging tree, where no configuration can switch it on: frames hold tokens.
_silent: Final = logging.Logger("hangbot.sandbox.chat", logging.CRITICAL + 1)  # noqa: LOG001  on purpose


class Hub(Protocol):
    """What a connection tells its server."""

    def on_open(self, connection: "Connection") -> None:
        """It is open."""

    def on_refused(self, connection: "Connection", response: Response) -> None:
        """What was asked for is no handshake."""

    def on_text(self, connection: "Connection", text: str) -> None:
        """A text came."""

    def on_lost(self, connection: "Connection") -> None:
        """It was open and is gone."""


class Connection(asyncio.Protocol):
    """One socket, and what is kept back from it.

    Attributes:
        number: Counted per server from 1; the journal's ``conn``.
        path: Where it was opened.
        uid: Whose it is, once it has authenticated.
        device: The `deviceId` of its auth frame.
        wants_presence: Whether it is told who comes and goes.
        held: Frames that a `reorder` or a `delay` keeps back.
        gate: The end of that delay.
        timers: When it is pinged, and closed if nobody authenticates.
    """

    transport: asyncio.Transport

    def __init__(self, number: int, path: str, hub: Hub) -> None:
        self.number = number
        self.path = path
        self.uid: str | None = None
        self.device: object = None
        self.wants_presence = False
        self.held: list[str] = []
        self.gate: TimerHandle | None = None
        self.timers: list[TimerHandle] = []
        self._hub = hub
        self._ws = ServerProtocol(max_size=_LARGEST_FRAME, logger=_silent)
        self._message = bytearray()
        self._is_text = False
        self._end: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return self._ws.state is OPEN and not self.transport.is_closing()

    @property
    def close_code(self) -> int | None:
        """The code that its client closed with; ``None`` for a close without, 1006 without a close."""
        code = self._ws.close_code
        return None if code == CloseCode.NO_STATUS_RCVD else code

    # -- out

    def send(self, text: str) -> None:
        """Send a text."""
        if self.is_open:
            self._ws.send_text(text.encode("utf-8", "replace"))
            self._flush()

    def ping(self) -> None:
        """Send a ping frame."""
        if self.is_open:
            self._ws.send_ping(b"")
            self._flush()

    def close(self, code: int | None = None) -> None:
        """Say goodbye; without a code, hang up at once."""
        if not self.is_open:
            return
        self._ws.send_close(code)
        self._flush()
        if code is None:
            self.transport.close()
        self._see_it_end()

    def abort(self) -> None:
        """Cut it: its client sees 1006."""
        self.transport.abort()

    # -- in

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        """Called by asyncio."""
        if self._end is not None:
            self._end.cancel()
        was_open = self._ws.state is not CONNECTING
        self._ws.receive_eof()
        if was_open:
            self._hub.on_lost(self)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._ws.receive_data(data)
        for event in self._ws.events_received():
            if isinstance(event, Request):
                self._open(event)
            elif isinstance(event, Frame) and event.opcode in _DATA:
                self._on_frame(event)
        self._flush()
        if self._ws.close_expected():
            self._see_it_end()

    def _open(self, request: Request) -> None:
        response = self._ws.accept(request)
        self._ws.send_response(response)
        self._flush()
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            self._hub.on_open(self)
        else:
            self._hub.on_refused(self, response)

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._message += frame.data
        if not frame.fin:
            return
        whole, self._message = self._message, bytearray()
        # A close of the client's, or what breaks the protocol, came behind it; only ours comes before it.
        if not self._is_text or self._end is not None or self.transport.is_closing():
            return
        try:
            text = whole.decode()
        except UnicodeDecodeError:
            self._ws.fail(CloseCode.INVALID_DATA)
            self._see_it_end()
        else:
            self._hub.on_text(self, text)

    def _flush(self) -> None:
        """Write what is to be written, pongs among it; who owes too much is cut off."""
        pieces = self._ws.data_to_send()
        if self.transport.get_write_buffer_size() > BACKLOG_LIMIT:
            self.abort()
        elif pieces and not self.transport.is_closing():
            self.transport.write(b"".join(pieces))
        if b"" in pieces:  # it ends here
            self.transport.close()

    def _see_it_end(self) -> None:
        """Hang up on a client that does not answer the close, or never hangs up."""
        if self._end is None:
            self._end = asyncio.get_running_loop().call_later(_FAREWELL_S, self.transport.abort)


def garbage(body: Json) -> str:
    """What goes out in a frame's place: a text as it is, anything else as JSON."""
    if body is None:
        return "<html>no frame</html>"
    return body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
