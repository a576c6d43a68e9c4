"""Which messages are due, and when each moved last: whether delivery stands still though it could go on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Movement"]


class Movement:
    """The receivers that are served, and when the message to each made a step.

    One that waits (for its next try, the rate, the retry budget) is not due.

    Args:
        now: Monotonic seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._moved: dict[str, float] = {}
        self._waiting: set[str] = set()

    def step(self, receiver: str) -> None:
        """Note that the message to a receiver made a step, or that it is served from now on."""
        self._moved[receiver] = self._now()

    def end(self, receiver: str) -> None:
        """Note that nothing is due to a receiver any more."""
        self._moved.pop(receiver, None)

    @contextmanager
    def waiting(self, receiver: str) -> Iterator[None]:
        """Note that the message to a receiver waits, for as long as the block runs."""
        self._waiting.add(receiver)
        try:
            yield
        finally:
            self._waiting.discard(receiver)
            if receiver in self._moved:
                self.step(receiver)

    def unmoved_since(self) -> float | None:
        """Return since when the message stands still that has done so for longest, of those that are due."""
        due = (at for receiver, at in self._moved.items() if receiver not in self._waiting)
        return min(due, default=None)
