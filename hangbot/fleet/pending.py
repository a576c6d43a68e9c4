"""What was asked of a NATS server and is not answered yet."""

import asyncio
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from hangbot.errors import HangbotError
from hangbot.fleet.jetstream import Answer, is_last

__all__ = ["Pending", "PendingAnswers"]


@dataclass(slots=True, eq=False)
class Pending:
    """One of these.

    Attributes:
        subject: What was asked.
        word: The last word of the subject that its answers come under.
        until: The loop's time until which they may come.
        several: Whether answers come until one of them is a status.
        done: All answers; `TimeoutError` where it is too late for them.
        came: Those that there are.
        left: Bytes that they may still have, all together.
    """

    subject: str
    word: str
    until: float
    several: bool
    done: asyncio.Future[list[Answer]]
    came: list[Answer] = field(default_factory=list)
    left: float = math.inf

    def take(self, answer: Answer) -> None:
        """Take an answer, if one is missing: of two servers that think that they lead, both answer."""
        if self.done.done():
            return
        self.left -= len(answer.data)
        if self.left < 0:
            self.came.clear()
            self.fail(_too_much(self.subject))
            return
        self.came.append(answer)
        if not self.several or is_last(answer):
            self.done.set_result(self.came)

    def fail(self, error: Exception) -> None:
        """End without what is missing."""
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # seen: who waited may have been cancelled just now


class PendingAnswers:
    """All of them, each under a word of its own.

    One timer is enough for all: it is set to the first that ends, and nearly all are answered before.
    """

    def __init__(self) -> None:
        self._pending: dict[str, Pending] = {}
        self._numbers = itertools.count(1)
        self._timer: asyncio.TimerHandle | None = None

    def expect(
        self,
        subject: str,
        *,
        within: float,
        several: bool = False,
        came: list[Answer] | None = None,
        largest: float = math.inf,
    ) -> Pending:
        """Take answers for so many seconds, into a list if there is one, until `forget` is called."""
        loop = asyncio.get_running_loop()
        word, until = str(next(self._numbers)), loop.time() + within
        came = [] if came is None else came
        pending = Pending(subject, word, until, several, loop.create_future(), came, largest)
        self._pending[word] = pending
        self._wake(loop, until)
        return pending

    def forget(self, pending: Pending) -> None:
        """Drop what comes from here on."""
        del self._pending[pending.word]
        pending.done.cancel()

    def take(self, word: str, answer: Answer) -> None:
        """Give an answer to what was asked under a word."""
        if pending := self._pending.get(word):
            pending.take(answer)

    def fail(self, error: Callable[[], Exception], of: Callable[[Pending], bool] = lambda _: True) -> None:
        """Let what is asked now, or a part of it, end with an error."""
        for pending in self._pending.values():
            if of(pending):
                pending.fail(error())

    def _wake(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        if self._timer:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at, self._end_late)

    def _end_late(self) -> None:
        loop, self._timer = asyncio.get_running_loop(), None
        waiting = [pending for pending in self._pending.values() if not pending.done.done()]
        for pending in waiting:
            if pending.until <= loop.time():
                pending.fail(TimeoutError())
            else:
                self._wake(loop, pending.until)


def _too_much(subject: str) -> HangbotError:
    return HangbotError(
        f"what answers {subject} in the NATS cluster says more than can be taken in",
        remedy="See who answers there: a worker of another version, or a program that is no worker.",
    )
