"""One real-time connection of the chat: whose it is, and how faults treat what it is sent."""

import json
from typing import Final

from hangbot.sandbox.clock import SandboxClock, TimerHandle
from hangbot.sandbox.faults import DEAF, FRAME_KINDS, REQUEST_KINDS, Fault
from hangbot.sandbox.injector import End
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.websocket import ConnectionListener, SocketOptions, WebSocketConnection

__all__ = ["CLOSED", "FRAME_FAULTS", "POINT", "PUSH_FAULTS", "UPGRADE_FAULTS", "ChatConnection"]

POINT: Final = "chat.ws"
FRAME_FAULTS: Final = FRAME_KINDS | {"delay", "garbage"}
"""An upgrade and a frame are both passages of `chat.ws`, but a dropped frame is no refused upgrade."""
UPGRADE_FAULTS: Final = REQUEST_KINDS - FRAME_FAULTS
PUSH_FAULTS: Final = FRAME_FAULTS | {DEAF}
"""What can happen to a frame that brings news; answers come to a deaf connection as well."""

SOCKET_OPTIONS: Final = SocketOptions(
    largest=10_000_000, backlog=8 * 1024 * 1024, close_timeout_s=1.0, corked=False
)
CLOSED: Final = 1000
"""The code with which the server closes on purpose."""


class ChatConnection:
    """What the chat knows of a connection; faults reach it as a ``FrameChannel``.

    Args:
        listener: Hears what happens to it.
        number: Counted per server from 1; the journal's ``conn``.
        path: Where it was opened.
        journal: Takes every frame.
        clock: Delays run on it.

    Attributes:
        socket: The connection itself.
        uid: Whose it is, once it has authenticated.
        device: The `deviceId` of its auth frame.
        deaf: Whether a fault keeps from it whatever is written, until it ends.
        wants_presence: Whether it asked to see users come and go.
        timers: When it is pinged, and closed if nothing authenticates it.
    """

    def __init__(
        self,
        listener: ConnectionListener["ChatConnection"],
        number: int,
        path: str,
        journal: Journal,
        clock: SandboxClock,
    ) -> None:
        self.socket = WebSocketConnection(listener, self, SOCKET_OPTIONS)
        self.number = number
        self.path = path
        self.uid: str | None = None
        self.device: object = None
        self.deaf = False
        self.wants_presence = False
        self.timers: list[TimerHandle] = []
        self._journal = journal
        self._clock = clock
        self._gate: TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return self.socket.is_open

    def send(self, text: str, frame: bytes | None = None, *, fault: int | None = None) -> None:  # noqa: ARG002  the fault stands in the row of ``on_fault``
        """Send a frame."""
        self.socket.send(text, frame)

    def hold_back(self, text: str, fault: int) -> None:  # noqa: ARG002  likewise
        """Keep a frame until the next one was sent."""
        self.socket.hold_back(text)

    def delay(self, text: str, fault: int, seconds: float) -> None:  # noqa: ARG002  likewise
        """Send a frame later, and every other one behind it."""
        self.socket.hold_back(text)
        self.socket.shut_gate()
        self._gate = self._clock.call_later(seconds, self.socket.open_gate)

    def send_garbled(self, text: str, fault: Fault) -> None:  # noqa: ARG002  of this frame nothing is left
        """Send the fault's body in a frame's place: a text as it is, anything else as JSON."""
        body = "<html>no frame</html>" if fault.body is None else fault.body
        self.socket.send_first(body if isinstance(body, str) else json.dumps(body, separators=(",", ":")))

    def end(self, how: End, fault: int) -> None:  # noqa: ARG002  likewise
        """End the connection."""
        if how == "abort":
            self.socket.abort()
        elif how == "close":
            self.socket.close(at_once=True)
        else:
            self.socket.close(CLOSED)

    def on_fault(self, text: str, fault: Fault) -> None:
        """Note that a fault hits a frame."""
        row = {"conn": self.number, "uid": self.uid, "frame": text, "deed": fault.do}
        self._journal.record("chat", "out", "frame", fault=fault.id, **row)

    def on_dropped(self, text: str, fault: Fault) -> None:  # noqa: ARG002  ``on_fault`` has noted it
        """Keep all that follows from a connection that the fault makes deaf."""
        self.deaf = self.deaf or fault.do == DEAF

    def cancel_timers(self) -> None:
        """Forget what was to happen to it."""
        for timer in (*self.timers, self._gate):
            if timer is not None:
                timer.cancel()
