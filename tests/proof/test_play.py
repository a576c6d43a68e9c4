"""What a scenario makes of a fault that never took place."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hangbot.sandbox import open_sandbox
from pytest_hangfm.proof.bot_process import BotProgram, Home
from pytest_hangfm.proof.play import Play
from pytest_hangfm.proof.profile import Profile
from pytest_hangfm.proof.scenario import NotApplicable, NotExercised, load


@pytest_asyncio.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    """A scenario whose bot is not started."""
    home = Home(BotProgram((sys.executable,), tmp_path, {}, copied=False), "unused")
    async with open_sandbox(control=False) as sandbox:
        yield Play(load()["chat-out.cut"], sandbox, home, Profile(says="/ping", answers="pong"))
    await home.close()


async def test_a_fault_that_a_bot_never_meets_is_not_applicable_to_it(play: Play) -> None:
    fault = play.fault("chat.send", "cut_before_store")

    with pytest.raises(NotApplicable, match="it never did what cut_before_store"):
        play.must_have_hit(fault)


async def test_a_bot_that_does_not_answer_has_not_shown_that_a_fault_is_not_applicable(play: Play) -> None:
    fault = play.fault("chat.send", "cut_before_store")
    await play.put_question()

    with pytest.raises(NotExercised, match="it did not answer, so that cut_before_store"):
        play.must_have_hit(fault)
