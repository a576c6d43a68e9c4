"""That what the bot says to a receiver comes in order. PURE."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from pytest_hangfm.simulation.checker.verdict import Finding
from pytest_hangfm.simulation.history import (
    Accepted,
    Attempted,
    Crashed,
    Dropped,
    History,
    Late,
    MessageStored,
    Requested,
    Requeued,
    RowAtEnd,
    Settled,
)

__all__ = ["order"]

_Receiver: TypeAlias = tuple[str, bool]


def order(history: History) -> Iterator[Finding]:
    """Messages to a receiver are stored in the order in which they were accepted.

    What has ended may be overtaken, and what is queued again by hand comes when it comes.
    """
    queues = {receiver: _Queue(keys) for receiver, keys in _as_accepted(history).items()}
    of = {key: queue for queue in queues.values() for key in queue.keys}
    last = _last_sign(history)
    kinds = MessageStored, Settled, Dropped, Requeued, Late
    for number, event in enumerate(history.events):
        if not isinstance(event, kinds) or (queue := of.get(event.id)) is None:
            continue
        if isinstance(event, MessageStored):
            overtaken = queue.overtaken_by(event.id, number, last)
            if overtaken is not None:
                yield event.at, f"{event.id} to {event.receiver} was stored before {overtaken}"
        queue.close(event.id)


class _Queue:
    """What is said to one receiver; each message is looked at once.

    Args:
        keys: The ids of the messages, in the order in which they were accepted.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys
        self._place = {key: number for number, key in enumerate(keys)}
        self._closed: set[str] = set()
        self._first = 0

    def close(self, key: str) -> None:
        """Note that a message may be overtaken from now on, or is there."""
        self._closed.add(key)

    def overtaken_by(self, key: str, now: int, last: Mapping[str, int]) -> str | None:
        """Return the first message that waits and is to come before this one.

        Args:
            key: The message that was stored.
            now: The number of that event.
            last: The number of the last event that shows each message on its way.
        """
        if key in self._closed:  # a copy, a late one, or one that is tried again
            return None
        while self._first < self._place[key]:
            other = self.keys[self._first]
            self._first += 1
            if other not in self._closed and last.get(other, -1) > now:
                return other
        return None


def _as_accepted(history: History) -> Mapping[_Receiver, Sequence[str]]:
    """Return the ids of the messages to each receiver, in the order in which they were accepted.

    Where a process was cut off, that may not have been seen when it happened: then the outbox knows it.
    """
    queues: dict[_Receiver, dict[str, None]] = {}
    for message in history.of(Accepted):
        queues.setdefault((message.receiver, message.direct), {})[message.id] = None
    if next(history.of(Crashed), None) is None:
        return {receiver: list(keys) for receiver, keys in queues.items()}
    rows = {row.id: number for number, row in enumerate(history.of(RowAtEnd))}
    return {
        receiver: sorted(keys, key=lambda key: rows[key]) if all(key in rows for key in keys) else list(keys)
        for receiver, keys in queues.items()
    }


def _last_sign(history: History) -> Mapping[str, int]:
    """Return the number of the last event that shows a message on its way.

    A part of a text that ends with another part is reported by no event.
    """
    last: dict[str, int] = {}
    for number, event in enumerate(history.events):
        match event:
            case Attempted() | Requested() | MessageStored() | Settled():
                last[event.id] = number
            case RowAtEnd(state="queued" | "sending"):
                last[event.id] = number
    return last
