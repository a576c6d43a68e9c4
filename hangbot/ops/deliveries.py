"""What delivery did last, kept from its steps: what is under way, what waits, how long answers took."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from hangbot.delivery.record import Step

__all__ = ["Ack", "Deliveries"]

MOST: Final = 100
MOST_ACKS: Final = 60


class Ack(NamedTuple):
    """An acknowledgement.

    Attributes:
        number: Counts up from 1.
        at: Seconds since the epoch.
        ms: Milliseconds from the attempt to its answer.
        attempt: Of which attempt; after the first it was a retry.
    """

    number: int
    at: float
    ms: float
    attempt: int


class Deliveries:
    """A listener of steps that keeps the last of each of the last hundred messages and actions.

    Attributes:
        steps: How many there were.
        not_delivered: How many of them ended a message that did not arrive.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.not_delivered = 0
        self._last: OrderedDict[str, Step] = OrderedDict()
        self._acks: deque[Ack] = deque(maxlen=MOST_ACKS)
        self._count = 0

    def step(self, step: Step) -> None:
        """Take a step."""
        self.steps += 1
        self._last[step.id] = step
        self._last.move_to_end(step.id)
        if len(self._last) > MOST:
            self._last.popitem(last=False)
        if step.kind == "answer" and step.detail == "acknowledged":
            self._count += 1
            self._acks.append(Ack(self._count, step.at, round(step.seconds * 1000, 1), step.attempt))
        elif step.settlement is not None and step.settlement.state != "delivered":
            self.not_delivered += 1

    def last(self) -> Iterator[Step]:
        """Yield the last step of each, the latest first."""
        return reversed(self._last.values())

    def acks(self, after: int = 0) -> list[Ack]:
        """Return the last acknowledgements, oldest first; only those behind the one with that number."""
        return [ack for ack in self._acks if ack.number > after]
