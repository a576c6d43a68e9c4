"""One schedule with a bot that is no program, in no time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from pytest_hangfm.proof.evidence import Evidence, Line, Probe
from pytest_hangfm.proof.profile import Profile
from pytest_hangfm.proof.search.performing import Performance, Suspicion
from pytest_hangfm.simulation.plan import Plan

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play

pytestmark = pytest.mark.virtual_time

QUIET = Plan(0, 10.0, pace=2.0)
"""Nothing goes wrong in it: what the bot does follows from the test."""
ANSWERS = Profile(says="/ping", answers="pong")
DOWN_AT, BACK_AT = 9.0, 30.0


@dataclass
class Stage:
    """What `Performance` needs of a play.

    Attributes:
        answered: How often the bot answers what is asked so many seconds after the begin.
        joined: Whether it is in the room.
    """

    answered: Callable[[float], int] = lambda _: 1
    joined: bool = True
    profile: Profile = ANSWERS
    bot: None = None
    has_ended_itself: bool = False
    blames: list[tuple[str, str]] = field(default_factory=list)
    questions: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    began: float = 0.0

    async def ready(self) -> None:
        self.began = asyncio.get_running_loop().time()

    async def put_question(self) -> None:
        number = len(self.questions) + len(self.answers) + 1
        self.questions.append(number)
        at = asyncio.get_running_loop().time() - self.began
        self.answers += range(number + 1, number + 1 + self.answered(at))

    @property
    def last_question(self) -> int:
        return self.questions[-1]

    def has_answered_after(self, number: int) -> bool:
        return any(answer > number for answer in self.answers)

    def answers_missing(self) -> int:
        return len(self.questions) - len(self.answers)

    def is_all_answered(self) -> bool:
        return self.answers_missing() <= 0

    async def all_answered(self, *, within: float) -> bool:
        await asyncio.sleep(0.0 if self.is_all_answered() else within)
        return self.is_all_answered()

    def is_joined(self) -> bool:
        return self.joined

    def heal(self) -> None:
        """Take nothing away: nothing went wrong."""

    def blame(self, what: str, rule: str) -> None:
        self.blames.append((rule, what))

    def evidence(self) -> Evidence:
        return Evidence(
            "bot",
            questions=tuple(Probe(number, 0) for number in self.questions),
            answers=tuple(Line(number, "bot", "room", "pong") for number in self.answers),
        )


async def perform(stage: Stage) -> tuple[list[str], list[str]]:
    """Play the schedule; return the rules that are suspected, and those that are blamed."""
    suspected = list[Suspicion]()
    await Performance(QUIET, suspected.append).run(cast("Play", stage))
    return [each.rule for each in suspected], [rule for rule, _ in stage.blames]


async def test_a_bot_that_answers_is_blamed_for_nothing_and_soon_done() -> None:
    loop = asyncio.get_running_loop()
    stage, began = Stage(), loop.time()

    assert await perform(stage) == ([], [])
    assert loop.time() - began < 20
    assert len(stage.questions) == 7  # each two seconds, and after all


async def test_a_bot_that_falls_silent_is_suspected_first_and_blamed_when_its_time_is_over() -> None:
    loop = asyncio.get_running_loop()
    stage, began = Stage(lambda at: int(at < DOWN_AT)), loop.time()

    assert await perform(stage) == (["search.recovers"], ["search.recovers"])
    assert 70 <= loop.time() - began < 80


async def test_a_bot_that_was_down_when_it_was_asked_has_recovered_once_it_answers_a_later_question() -> None:
    stage = Stage(lambda at: int(not DOWN_AT < at < BACK_AT))

    assert await perform(stage) == (["search.recovers"], ["search.lost"])


async def test_a_second_answer_is_blamed_at_once() -> None:
    loop = asyncio.get_running_loop()
    stage, began = Stage(lambda at: 2 if at > DOWN_AT else 1), loop.time()

    assert await perform(stage) == (["search.once"], ["search.once"])
    assert loop.time() - began < 15


async def test_a_bot_that_is_not_in_the_room_has_not_recovered() -> None:
    assert await perform(Stage(joined=False)) == (["search.recovers"], ["search.recovers"])


async def test_a_bot_that_uses_no_room_need_not_be_in_it() -> None:
    stage = Stage(joined=False, profile=Profile(says="/ping", answers="pong", room=False))

    assert await perform(stage) == ([], [])


async def test_a_bot_that_needs_a_pause_is_not_asked_before_it_has_answered() -> None:
    slow = Profile(says="/ping", answers="pong", pause=1.0)
    stage = Stage(lambda at: int(at > DOWN_AT), profile=slow)

    await perform(stage)

    assert len(stage.questions) == 2  # the first one, which it has not answered, and the last one
