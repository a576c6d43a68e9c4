"""What any server can answer is asked again while nothing comes; in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from hangbot.fleet.insisting import first_answer
from hangbot.fleet.jetstream import Answer
from hangbot.fleet.streams import AnswerMissing
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.loop import simulated

WITHIN = 2.0


class Servers:
    """Servers that answer one question after the other: each after a time, with this many pieces.

    Args:
        take: Seconds until the first piece of each answer, and between its pieces.
    """

    def __init__(self, *take: float, pieces: int = 1) -> None:
        self.asked: list[float] = []
        self._take, self._pieces = take, pieces

    async def ask(self, came: list[Answer]) -> list[Answer]:
        number = len(self.asked)
        self.asked.append(asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(WITHIN):
                for _ in range(self._pieces):
                    await asyncio.sleep(self._take[min(number, len(self._take) - 1)])
                    came.append(Answer({}, b"%d" % number))
        except TimeoutError as exc:
            raise AnswerMissing("no answer") from exc
        return came


def played(main: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, float]:
    """Return what came of it, and how long it took."""

    async def timed() -> tuple[Any, float]:
        begun = asyncio.get_running_loop().time()
        return await main(), asyncio.get_running_loop().time() - begun

    return simulated(timed())


@pytest.mark.parametrize(
    ("take", "pieces", "answered", "questions", "took"),
    [
        pytest.param((0.01,), 1, b"0", 1, 0.01, id="at once"),
        pytest.param((99.0, 0.01), 1, b"1", 2, 0.31, id="by the next one"),
        pytest.param((99.0, 99.0, 99.0, 99.0, 99.0, 0.01), 1, b"5", 6, 1.51, id="by the last one"),
        pytest.param((1.7,), 1, b"0", 6, 1.7, id="late, by the first one"),
        pytest.param((0.2,), 8, b"0", 1, 1.6, id="in pieces"),
    ],
)
def test_the_first_answer_counts(
    take: tuple[float, ...], pieces: int, answered: bytes, questions: int, took: float
) -> None:
    servers = Servers(*take, pieces=pieces)

    found, seconds = played(lambda: first_answer(servers.ask, SimulatedClock()))

    assert [answer.data for answer in found] == [answered] * pieces
    assert len(servers.asked) == questions
    assert seconds == pytest.approx(took, abs=0.005)


def test_where_nothing_comes_at_all_it_ends_with_the_first_question() -> None:
    servers = Servers(99.0)

    async def main() -> None:
        with pytest.raises(AnswerMissing):
            await first_answer(servers.ask, SimulatedClock())

    _, seconds = played(main)

    assert seconds == pytest.approx(WITHIN, abs=0.005)
