"""What Primus and ActionHero know of a client's connection, and how faults treat what it is sent."""

from typing import TYPE_CHECKING, Final

from hangbot.sandbox.room import primus
from hangbot.sandbox.websocket import ABNORMAL, SocketOptions

if TYPE_CHECKING:
    from hangbot.sandbox.clock import SandboxClock
    from hangbot.sandbox.faults import Fault
    from hangbot.sandbox.injector import End
    from hangbot.sandbox.journal import Journal
    from hangbot.sandbox.people import Person
    from hangbot.sandbox.websocket import WebSocketConnection

__all__ = ["GARBAGE", "SOCKET_OPTIONS", "RoomConnection"]

GARBAGE: Final = "<html><body>502 Bad Gateway</body></html>"
SOCKET_OPTIONS: Final = SocketOptions(
    largest=primus.MAX_MESSAGE_BYTES,
    backlog=64 * 1024 * 1024,
    close_timeout_s=2.0,
    dated=False,  # ActionHero's 101 has neither date nor server
)


class RoomConnection:
    """A client's connection; faults reach it as a ``FrameChannel``.

    Args:
        number: Counted per server from 1; the journal's ``conn``.
        token: The token that it came with.
        person: Whose token that is, or ``None`` for a bad one.
        journal: Takes every frame.
        clock: Delays run on it.

    Attributes:
        socket: The connection itself.
        hero_id: ActionHero's connection id.
        spark: Primus' connection id.
        connected_ms: When it was opened.
        alive: Whether a sign of life came since the last ping.
        pinged_at: How often the socket was flushed before the last ping.
        listening: Whether the server reads frames already; before that they are lost.
        pending: Actions that are running.
        total: Actions run so far.
        rooms: The ActionHero rooms that it is in, with the time of joining in ms.
        ending: The fault that ends it as soon as its handshake is done, and how.
    """

    socket: "WebSocketConnection[RoomConnection]"

    def __init__(
        self, number: int, token: str, person: "Person | None", journal: "Journal", clock: "SandboxClock"
    ) -> None:
        self.number = number
        self.token = token
        self.person = person
        self.uid: str | None = None if person is None else person.uid
        self.hero_id = ""
        self.spark = ""
        self.connected_ms = 0
        self.alive = True
        self.pinged_at = -1
        self.listening = False
        self.pending = 0
        self.total = 0
        self.rooms: dict[str, int] = {}
        self.ending: tuple[End, int] | None = None
        self._journal = journal
        self._clock = clock

    @property
    def holder(self) -> str:
        """The name under which it holds its user in a room."""
        return f"conn-{self.number}"

    @property
    def close_code(self) -> int | None:
        """The code that its client closed with; ``None`` without one."""
        code = self.socket.close_code
        return None if code == ABNORMAL else code

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return self.socket.is_open

    @property
    def ping_waits(self) -> bool:
        """Whether nothing has left since the last ping, which then has not left either."""
        return self.pinged_at == self.socket.flushes

    # -- as faults see it

    def send(self, text: str, frame: bytes | None = None, *, fault: int | None = None) -> None:
        """Send a frame."""
        self.socket.send(text, frame, fault=fault)

    def hold_back(self, text: str, fault: int) -> None:
        """Keep a frame until the next one was sent."""
        self.socket.hold_back(text, fault)

    def delay(self, text: str, fault: int, seconds: float) -> None:
        """Send a frame later; others overtake it."""
        self._clock.call_later(seconds, lambda: self.send(text, fault=fault))

    def send_garbled(self, text: str, fault: "Fault") -> None:
        """Send the fault's text as it is, or its body in the place of a room message's ``message``."""
        if isinstance(fault.body, str):
            garbled = fault.body
        elif fault.body is None:
            garbled = GARBAGE
        else:
            envelope = primus.decode(text)
            in_message = isinstance(envelope, dict) and envelope.get("context") == "user"
            garbled = primus.encode({**envelope, "message": fault.body} if in_message else fault.body)
        self.send(garbled, fault=fault.id)

    def end(self, how: "End", fault: int | None = None) -> None:
        """End it without a code as the service does, on purpose (after ``primus::server::close``), or cut."""
        if not (self.is_open or (how == "abort" and not self.socket.transport.is_closing())):
            return
        if how == "close_deliberate":
            self.send(primus.SERVER_CLOSE, fault=fault)
        code = ABNORMAL if how == "abort" else None
        row = {"conn": self.number, "uid": self.uid, "how": how, "code": code}
        self._journal.record("room", "out", "close", fault=fault, **row)
        if how == "abort":
            self.socket.abort()
        else:
            self.socket.close()

    def on_fault(self, text: str, fault: "Fault") -> None:
        """Do nothing: the rows of what is sent all the same show the fault."""

    def on_dropped(self, text: str, fault: "Fault") -> None:
        """Note a frame that is not sent."""
        row = {"conn": self.number, "uid": self.uid, "frame": text, "sent": False, "deed": fault.do}
        self._journal.record("room", "out", "frame", fault=fault.id, **row)
