"""When a message may be sent, and that none waits for ever. PURE."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile
from typing import Final, NamedTuple

from pytest_hangfm.simulation.checker.messages import Step, messages
from pytest_hangfm.simulation.checker.timeline import Calm, Timeline
from pytest_hangfm.simulation.checker.verdict import Finding
from pytest_hangfm.simulation.history import (
    Accepted,
    Asked,
    Attempted,
    Dropped,
    History,
    Late,
    MessageStored,
    Requested,
    Requeued,
    RowAtEnd,
    Settled,
)

__all__ = ["Still", "asked_first", "dropped", "ended", "standing_still", "waits"]

_ENDS: Final = frozenset({"delivered", "failed", "uncertain", "expired", "dropped"})
_IMPAIRS: Final = frozenset({"chat", "send", "outbox", "process", "token"})


def dropped(history: History) -> Iterator[Finding]:
    """Nothing is sent after it was dropped, but for what was on its way."""
    for key, steps in messages(history).items():
        under_way = False
        until: float | None = None
        for _, event, late in _with_late(steps):
            match event:
                case Attempted():
                    under_way = until is None
                case Asked() | Settled():
                    under_way = False
                case Dropped(at=at):
                    until = at + history.bounds.request if under_way else at
                case Requeued():
                    until = None
                case Requested(at=at) if until is not None and at > until and not late:
                    yield at, f"{key} was sent after it was dropped"
                    until = None


def ended(history: History) -> Iterator[Finding]:
    """Nothing is sent after its end was reported."""
    timeline = Timeline(history)
    for key, steps in messages(history).items():
        state: str | None = None
        for run, event, late in _with_late(steps):
            match event:
                case Settled() if timeline.lasts(run, event.at):
                    state = event.state
                case Requeued() | Dropped():
                    state = None
                case Attempted() | Requested() if state is not None and not late:
                    yield event.at, f"{key} was sent again after it was reported as {state}"
                    state = None


def asked_first(history: History) -> Iterator[Finding]:
    """What the chat has is not sent again, unless the chat says that it does not have it."""
    for key, steps in messages(history).items():
        there = by_late = False
        for _, event, late in _with_late(steps):
            match event:
                case MessageStored():
                    there = there or not by_late
                case Asked(found=False):
                    there = False
                case Requested(at=at):
                    if there and not late:
                        yield at, f"{key} was sent again without a question, though the chat had it"
                        break
                    by_late = late


def _with_late(steps: Sequence[Step]) -> Iterator[tuple[int, object, bool]]:
    """Yield the events of a message, and whether it is a request that the network let go of too late."""
    late: set[int] = set()
    for run, event in steps:
        if isinstance(event, Late):
            late.add(event.connection)
        yield run, event, isinstance(event, Requested) and event.connection in late


# -- what waits


def waits(history: History) -> Iterator[Finding]:
    """While nothing goes wrong, messages to a receiver end, one after the other."""
    timeline = Timeline(history)
    calms = timeline.calms(_IMPAIRS)
    bound = history.bounds.settled
    for still in standing_still(history, timeline.end, bound):
        for calm in _calms_in(calms, still.begin, still.end):
            since = max(still.begin, calm.begin)
            if min(still.end, calm.end) - since > bound:
                what = f"{still.id} to {still.receiver} waits, and nothing goes wrong since {since:.0f} s"
                yield since + bound, what
                break


def _calms_in(calms: Sequence[Calm], begin: float, end: float) -> Iterator[Calm]:
    first = bisect_right(calms, begin, key=lambda calm: calm.end)
    return takewhile(lambda calm: calm.begin < end, islice(calms, first, None))


class Still(NamedTuple):
    """A time in which messages to a receiver waited, and nothing became of any.

    Attributes:
        begin, end: From when until when.
        receiver: Who was to receive them.
        id: One of them.
    """

    begin: float
    end: float
    receiver: str
    id: str


def standing_still(history: History, until: float, bound: float, *, tries: bool = False) -> Sequence[Still]:
    """Return the times of more than ``bound`` seconds in which messages to a receiver waited.

    Args:
        history: The history.
        until: When it ends.
        bound: Seconds.
        tries: Whether an attempt, or a question, is a step forward, too.
    """
    queues: dict[str, _Queue] = {}
    receivers: dict[str, str] = {}
    reported = {event.id for event in history.events if isinstance(event, Settled | Dropped)}
    over = {row.id for row in history.of(RowAtEnd) if row.state in _ENDS and row.id not in reported}
    for event in history.events:
        match event:
            case Accepted(id=key, receiver=receiver):
                queue = queues.setdefault(receiver, _Queue(receiver, bound))
                if receivers.setdefault(key, receiver) == receiver and key not in over:
                    queue.add(key, event.at)
            case Requeued(id=key) if key in receivers:
                over.discard(key)
                queues[receivers[key]].add(key, event.at)
            case MessageStored(id=key) if key in receivers:
                queues[receivers[key]].move(event.at)
            case Attempted(id=key) | Asked(id=key) if tries and key in receivers:
                queues[receivers[key]].move(event.at)
            case Settled(id=key) | Dropped(id=key):
                over.add(key)  # before it was seen to be accepted, where a crash came between
                if key in receivers:
                    queues[receivers[key]].end(key, event.at)
    for queue in queues.values():
        queue.move(until)
    return [still for queue in queues.values() for still in queue.still]


class _Queue:
    """What waits for one receiver.

    Args:
        receiver: Who that is.
        bound: Seconds without a move that are long.

    Attributes:
        still: The long times without a move.
    """

    def __init__(self, receiver: str, bound: float) -> None:
        self.still: list[Still] = []
        self._receiver = receiver
        self._bound = bound
        self._waiting: dict[str, None] = {}
        self._moved = 0.0

    def add(self, key: str, at: float) -> None:
        """Note that a message waits from now on."""
        if not self._waiting:
            self._moved = at
        self._waiting[key] = None

    def end(self, key: str, at: float) -> None:
        """Note that a message has ended."""
        self.move(at)
        self._waiting.pop(key, None)

    def move(self, at: float) -> None:
        """Note that a message made progress."""
        if self._waiting and at - self._moved > self._bound:
            self.still.append(Still(self._moved, at, self._receiver, next(iter(self._waiting))))
        self._moved = at
