"""What happened in a simulated world, as values in the order of time. PURE.

The world writes it, the checker judges it, a story shows it. Times are virtual seconds since the world
began. Ids of messages are the stable ids of delivery; row ids are the chat service's.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

__all__ = [
    "Accepted",
    "Asked",
    "Attempted",
    "Bounds",
    "Changed",
    "Closed",
    "Crashed",
    "Dropped",
    "Event",
    "FaultBegan",
    "FaultEnded",
    "FaultFired",
    "Handled",
    "HandlerBegan",
    "HealthSeen",
    "Heard",
    "Hearing",
    "History",
    "Late",
    "Left",
    "LetGo",
    "Logged",
    "MessageStored",
    "Opened",
    "PassedOver",
    "Presence",
    "Requested",
    "Requeued",
    "RowAtEnd",
    "Said",
    "Settled",
    "Started",
    "StopAsked",
    "Stopped",
    "Tried",
    "journal_hash",
]

ServiceName: TypeAlias = Literal["room", "chat", "gateway"]
EndState: TypeAlias = Literal["delivered", "failed", "uncertain", "expired", "dropped"]
Level: TypeAlias = Literal["INFO", "WARNING", "ERROR", "CRITICAL"]
Outcome: TypeAlias = Literal["returned", "raised", "timed_out", "cancelled"]


# -- what the bot was asked to say, and what became of it


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message was accepted: the bot said that it is on disk.

    ``text`` is what stands there: for an answer that a handler gives again, what it said first.
    ``answer_to``: the row that it answers.
    """

    at: float
    id: str
    receiver: str
    direct: bool
    text: str
    answer_to: int | None = None


@dataclass(frozen=True, slots=True)
class Attempted:
    """The bot began to send a message, for the ``number``-th time."""

    at: float
    id: str
    number: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The bot asked the chat whether a message is there; ``found``: its answer, ``None`` without one."""

    at: float
    id: str
    found: bool | None


@dataclass(frozen=True, slots=True)
class Settled:
    """The bot reported how a message ended."""

    at: float
    id: str
    state: EndState
    tier: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The operator dropped a message by hand, and the command confirmed it."""

    at: float
    id: str


@dataclass(frozen=True, slots=True)
class Requeued:
    """The operator had a message that had ended tried again, and the command confirmed it."""

    at: float
    id: str


# -- what the services saw


@dataclass(frozen=True, slots=True)
class Requested:
    """A request to store a message reached the chat, on a connection, by the number of its client's port."""

    at: float
    id: str
    connection: int


@dataclass(frozen=True, slots=True)
class Late:
    """The network let go of a request after the bot had given up waiting for it: the documented risk.

    The same goes for a request whose process has ended meanwhile. It comes before its `Requested`.
    """

    at: float
    id: str
    connection: int


@dataclass(frozen=True, slots=True)
class MessageStored:
    """The chat stored a message of the bot; ``epoch`` as for `Said`."""

    at: float
    id: str
    row: int
    receiver: str
    direct: bool
    text: str
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """The chat stored a line of another user, to the group or to the bot alone.

    ``epoch`` grows whenever the chat numbers its rows anew.
    """

    at: float
    row: int
    sender: str
    receiver: str
    direct: bool
    text: str
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Changed:
    """Another user edited a line, or took it back: it need not be handled any more."""

    at: float
    row: int
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """A service took a WebSocket of the bot."""

    at: float
    service: ServiceName
    connection: int


@dataclass(frozen=True, slots=True)
class Closed:
    """A service saw the end of a WebSocket of the bot."""

    at: float
    service: ServiceName
    connection: int


@dataclass(frozen=True, slots=True)
class LetGo:
    """The bot ended its side of a WebSocket; the service may see that later, or never."""

    at: float
    service: ServiceName
    connection: int


@dataclass(frozen=True, slots=True)
class Tried:
    """The bot began to connect a WebSocket; ``ok``: whether something listened and took it."""

    at: float
    service: ServiceName
    ok: bool


@dataclass(frozen=True, slots=True)
class Presence:
    """The room's server has the bot among its users from now on, or no more."""

    at: float
    present: bool


# -- what the app heard and did


@dataclass(frozen=True, slots=True)
class Hearing:
    """A process began to hear the chat; what was said before the first one of all need not be handled."""

    at: float
    run: int


@dataclass(frozen=True, slots=True)
class HandlerBegan:
    """The app was given a line, in the ``run``-th process.

    One that ``commits`` has its line marked as handled before its handler ends, with what it leaves.
    """

    at: float
    row: int
    run: int
    epoch: int = 0
    commits: bool = False


@dataclass(frozen=True, slots=True)
class Handled:
    """The app's handler of a line ended."""

    at: float
    row: int
    run: int
    outcome: Outcome
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class PassedOver:
    """The bot reported that it passes over ``count`` lines; ``rows``: which, where it says so."""

    at: float
    count: int
    rows: tuple[int, ...] = ()
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """The app was given an event of the room."""

    at: float
    kind: str
    run: int
    catch_up: bool
    data: Mapping[str, Any] = field(default_factory=dict)


# -- the process


@dataclass(frozen=True, slots=True)
class Started:
    """The ``run``-th process began; the first is 1."""

    at: float
    run: int


@dataclass(frozen=True, slots=True)
class Crashed:
    """A process ended at once, wherever it stood."""

    at: float
    run: int


@dataclass(frozen=True, slots=True)
class StopAsked:
    """A process was asked to stop."""

    at: float
    run: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """A process ended by itself; ``error``: with what, empty where it is 0."""

    at: float
    run: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class HealthSeen:
    """What the bot said of itself, when that differs from before, and once for each process."""

    at: float
    run: int
    live: bool
    ready: bool
    red: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Logged:
    """A line of the bot's log at WARNING or above."""

    at: float
    level: Level
    text: str
    action: str = ""


# -- the faults


@dataclass(frozen=True, slots=True)
class FaultBegan:
    """A fault was armed; ``number``: its place in the plan. ``impairs``: what cannot work while it lasts."""

    at: float
    number: int
    kind: str
    impairs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FaultFired:
    """A fault had an effect."""

    at: float
    number: int
    kind: str


@dataclass(frozen=True, slots=True)
class FaultEnded:
    """A fault passed."""

    at: float
    number: int
    kind: str


# -- the end


@dataclass(frozen=True, slots=True)
class RowAtEnd:
    """A message as the outbox has it when all is over; in the order in which they were accepted."""

    at: float
    id: str
    state: str


@dataclass(frozen=True, slots=True)
class Left:
    """What was left when all was closed, one line each: tasks, sockets, futures, errors that nothing took."""

    at: float
    what: tuple[str, ...]


Event: TypeAlias = (
    Accepted
    | Attempted
    | Asked
    | Settled
    | Dropped
    | Requeued
    | Requested
    | Late
    | MessageStored
    | Said
    | Changed
    | Opened
    | Closed
    | LetGo
    | Tried
    | Presence
    | HandlerBegan
    | Handled
    | PassedOver
    | Heard
    | Hearing
    | Started
    | Crashed
    | StopAsked
    | Stopped
    | HealthSeen
    | Logged
    | FaultBegan
    | FaultFired
    | FaultEnded
    | RowAtEnd
    | Left
)

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may take how long, in seconds, by the configuration of the world.

    Attributes:
        back: From the end of the last fault, or a start, until the bot is back in the room and hears.
        drain: From the request to stop until what is on its way is left.
        after_drain: From then until the process ended.
        longest_wait: Between two tries to connect.
        attempt: What one such try may take itself.
        quick_tries: Tries in a row that may come before the waits are the longest.
        tries_a_minute: Tries of one process in any minute.
        ready_after: From a start in calm until the bot is ready.
        catch_up: The age up to which lines are handled that were said while the bot did not hear.
        handler: How long a handler may take.
        hears: From a line that is said in calm until the app is given it.
        request: From the begin of an attempt until it counts as lost.
        settled: For how long, in calm, no message to a receiver may end while some wait.
        attempts: Attempts at a message.
        total: How long a message is tried in all.
        ttl: Time to live of a message; ``None``: it never expires.
        room_red, chat_red, deaf_red, outbox_red, stuck_red: Until trouble of each has to be red.
        unasked_red: Until it has to be red that the chat does not tell whether the bot hears everything.
        noticed: Until trouble is noticed that begins to count then.
        silent: Until a connection is given up over which nothing comes any more.
        green: From the end of the last fault until health is green, and no line of the log at ERROR comes.
        state_green: The same for the state of a room, which is fetched the less often the more it is lost.
    """

    back: float = 90.0
    drain: float = 10.0
    after_drain: float = 5.0
    longest_wait: float = 60.0
    attempt: float = 35.0
    quick_tries: int = 12
    tries_a_minute: int = 20
    ready_after: float = 30.0
    catch_up: float = 300.0
    handler: float = 30.0
    hears: float = 60.0
    request: float = 15.0
    settled: float = 120.0
    attempts: int = 3
    total: float = 300.0
    ttl: float | None = None
    room_red: float = 60.0
    chat_red: float = 30.0
    deaf_red: float = 60.0
    unasked_red: float = 100.0
    outbox_red: float = 5.0
    stuck_red: float = 120.0
    noticed: float = 15.0
    silent: float = 45.0
    green: float = 120.0
    state_green: float = 660.0

    @property
    def calm(self) -> float:
        """For how long nothing may go wrong at the end, so that all can be judged that takes its time."""
        return max(self.back + self.hears, self.settled, self.green) + 20.0


@dataclass(frozen=True, slots=True)
class History:
    """All that happened in one world.

    Attributes:
        events: In the order of time.
        bounds: What may take how long.
        bot: The bot's uid.
        group: The chat group of its room.
        names: What users are called, by uid.
        secrets: What must stand nowhere in ``output``; never shown.
        output: All that the bot wrote: log lines, reasons, health sentences.
    """

    events: tuple[Event, ...]
    bounds: Bounds = Bounds()
    bot: str = "bot"
    group: str = "group"
    names: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    output: tuple[str, ...] = field(default=(), repr=False)

    def of(self, *kinds: type[E]) -> Iterator[E]:
        """Yield the events of some kinds, in order."""
        for event in self.events:
            if isinstance(event, kinds):
                yield event


def journal_hash(history: History) -> str:
    """Return a SHA-256 of the events: two plays of one plan have the same, in whatever process."""
    digest = hashlib.sha256()
    for event in history.events:
        shown = repr(event)
        if isinstance(event, FaultBegan):  # a set has another order in each process
            shown = f"{shown.partition('impairs=')[0]}{sorted(event.impairs)}"
        digest.update(f"{shown}\n".encode())
    return digest.hexdigest()
