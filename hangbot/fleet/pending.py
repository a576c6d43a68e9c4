"""What was asked of a NATS server and is not answered yet."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hangbot.fleet.jetstream import Answer, is_last

__all__ = ["Pending", "PendingAnswers"]


@dataclass(slots=True, eq=False)
class Pending:
    """One of these.

    Attributes:
        subject: What was asked.
        several: Whether answers come until one of them is a status.
        done: All answers.
        came: Those that there are.
    """

    subject: str
    several: bool
    done: asyncio.Future[list[Answer]]
    came: list[Answer] = field(default_factory=list)

    def take(self, answer: Answer) -> None:
        """Take an answer, if one is missing: of two servers that think that they lead, both answer."""
        if self.done.done():
            return
        self.came.append(answer)
        if not self.several or is_last(answer):
            self.done.set_result(self.came)


class PendingAnswers:
    """All of them, each under a word of its own: the last of the subject that its answers come under."""

    def __init__(self) -> None:
        self._pending: dict[str, Pending] = {}
        self._numbers = itertools.count(1)

    @contextmanager
    def expected(
        self, subject: str, *, several: bool, came: list[Answer] | None = None
    ) -> Iterator[tuple[str, Pending]]:
        """Take answers within the block, into a list if there is one; those that come later are dropped."""
        word = str(next(self._numbers))
        done = asyncio.get_running_loop().create_future()
        pending = Pending(subject, several, done, [] if came is None else came)
        self._pending[word] = pending
        try:
            yield word, pending
        finally:
            del self._pending[word]
            pending.done.cancel()

    def take(self, word: str, answer: Answer) -> None:
        """Give an answer to what was asked under a word."""
        if pending := self._pending.get(word):
            pending.take(answer)

    def fail(self, error: Callable[[], Exception], of: Callable[[Pending], bool] = lambda _: True) -> None:
        """Let what is asked now, or a part of it, end with an error."""
        for pending in self._pending.values():
            if not pending.done.done() and of(pending):
                pending.done.set_exception(error())
