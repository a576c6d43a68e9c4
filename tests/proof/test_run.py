"""Scenarios with bots that are written here: what they do wrong is found, and nothing else."""

import sys
from pathlib import Path

import pytest

from pytest_hangfm.proof.bot_process import CannotStart
from pytest_hangfm.proof.profile import Profile
from pytest_hangfm.proof.run import prove

BOT = Path(__file__).parents[2] / "examples" / "bot.py"
ANSWERS = Profile(says="/ping", answers="pong", start=3)
JOINS_ONCE = ("    while True:  # a close without a code", "    for _ in range(1):  # a close without a code")

LOOKS = ("await asyncio.sleep(0.5)", "await asyncio.sleep(5)")
ENDS = (
    "        await asyncio.sleep(1)\n",
    '        raise SystemExit("out of the room: to be started again")\n',
)


@pytest.mark.slow
async def test_a_bot_that_never_joins_again_is_found(tmp_path: Path) -> None:
    source = BOT.read_text("utf-8")
    assert JOINS_ONCE[0] in source
    (tmp_path / "bot.py").write_text(source.replace(*JOINS_ONCE), "utf-8")

    rules = await prove(
        [sys.executable, "bot.py"], tmp_path, ["start.answers", "room-socket.abort"], profile=ANSWERS
    )

    failed = {name: what for name, (kind, what) in rules.items() if kind != "pass"}
    assert failed == {"room-socket.abort": "it was not in the room within 30 s"}


@pytest.mark.slow
async def test_a_bot_that_ends_to_be_started_again_where_it_lost_the_room_is_sound(tmp_path: Path) -> None:
    source = BOT.read_text("utf-8")
    assert ENDS[0] in source
    (tmp_path / "bot.py").write_text(source.replace(*ENDS), "utf-8")
    scenarios = ["room-socket.abort", "room-socket.again-and-again"]

    rules = await prove([sys.executable, "bot.py"], tmp_path, scenarios, profile=ANSWERS)

    assert {name: what for name, (kind, what) in rules.items() if kind != "pass"} == {}


@pytest.mark.slow
async def test_a_bot_that_looks_every_fifth_second_is_not_taken_for_one_that_answers_twice(
    tmp_path: Path,
) -> None:
    source = BOT.read_text("utf-8")
    assert LOOKS[0] in source
    (tmp_path / "bot.py").write_text(source.replace(*LOOKS), "utf-8")

    rules = await prove([sys.executable, "bot.py"], tmp_path, ["chat-in.same-second"], profile=ANSWERS)

    assert rules["chat-in.same-second"] == ("pass", "")


@pytest.mark.slow
async def test_a_bot_is_learnt_by_speaking_to_it(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_bytes(BOT.read_bytes())

    rules = await prove([sys.executable, "bot.py"], tmp_path, ["start.answers", "chat-in.direct"])

    assert rules["start.answers"] == ("pass", "")
    assert rules["chat-in.direct"] == ("not_applicable", "it answers no direct messages")


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="no-such-program is not installed"):
        await prove(["no-such-program"], tmp_path, [])
