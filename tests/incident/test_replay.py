"""A replay of what may be wrong with a journal, with an author's own app, and of a bot that fails."""

import random
from pathlib import Path
from typing import Any, Final

import pytest

from hangbot import Bot, ChatMessage
from hangbot.errors import UsageError
from hangbot.incident.as_test import assert_alike, write_test
from hangbot.incident.bundle import Bundle, read_bundle
from hangbot.incident.outcome import is_alike
from hangbot.incident.replay import replayed
from tests.incident.incidents import INCIDENTS, QUICK, echo
from tests.incident.recorded import Happening, recorded

ODD: Final = [None, True, -1, 0, 1e308, float("nan"), "x", "", [], {}, [1], {"a": 1}, "1e999"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle."""
    made: Path = tmp_path_factory.mktemp("made") / "it.zip"
    incident = INCIDENTS["two troubles"]
    recorded(made, incident.happen, env=incident.env)
    return made


def changed(value: Any, rng: random.Random) -> Any:  # noqa: ANN401  any JSON value
    """Return a value with something odd somewhere in it."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = rng.choice(list(value))
        return {**value, name: changed(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return [*value[:at], changed(value[at], rng), *value[at + 1 :]]
    return rng.choice(ODD)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_whatever_stands_in_a_journal_its_replay_ends_in_facts_or_in_one_line(seed: int, place: Path) -> None:
    rng, bundle = random.Random(seed), read_bundle(place)  # noqa: S311  to be repeatable
    ends = list[str]()

    for turn in range(25):
        rows = [dict(row) for row in bundle.journal]
        for _ in range(rng.choice((1, 2, 5))):
            at = rng.randrange(1, len(rows))
            part = "json" if turn % 2 and "json" in rows[at] else rng.choice(list(rows[at]))
            rows[at] = {**rows[at], part: changed(rows[at][part], rng)}
        try:
            replayed(bundle._replace(journal=rows)).pairs()
            ends.append("facts")
        except UsageError as exc:
            ends.append(str(exc))

    assert "facts" in ends
    assert all("\n" not in end for end in ends)


def test_a_bot_that_does_something_else_is_told_of(place: Path, tmp_path: Path) -> None:
    bundle = read_bundle(place)
    one_attempt = bundle._replace(config={**bundle.config, "STAGE_RETRY_MAX_ATTEMPTS": "1"})

    pairs = replayed(one_attempt).pairs()

    assert not is_alike(pairs)
    ends = [(pair.then is None, pair.says) for pair in pairs if pair.topic.startswith("message #.1")]
    assert sorted(ends) == [
        (False, "delivered, tier 2, 3 attempts"),
        (True, "failed, tier 3, 1 attempt"),
    ]
    beside = write_test(place, tmp_path / "test_it.py")
    assert_alike(beside)
    with pytest.raises(UsageError, match="exists"):
        write_test(place, tmp_path / "test_it.py")
    for name in ("it.py", "test_it.txt", 'test_"it"\'.py', "test_it\\.py", ".py"):
        with pytest.raises(UsageError, match="no name of a test that pytest finds"):
            write_test(place, tmp_path / name)


def test_an_authors_own_app_hears_the_commands(tmp_path: Path) -> None:
    place, heard = tmp_path / "it.zip", list[str]()

    async def commands(it: Happening) -> None:
        alice = it.alice
        await alice.say("/skip 2")
        await alice.say("good evening")
        await it.wait(3)

    async def hear(bot: Bot, message: ChatMessage) -> None:
        heard.append(str(message.text))
        await bot.say(f"heard {len(heard)}")

    recorded(place, commands, app=echo, env=QUICK)
    bundle: Bundle = read_bundle(place)

    pairs = replayed(bundle, app=hear).pairs()

    assert heard[0] == "/skip 2"
    assert [len(line) for line in heard] == [len("/skip 2"), len("good evening")]
    assert not is_alike(pairs), "it said something, and the bot of then did not"


async def fails(_bot: Bot, _message: ChatMessage) -> None:
    raise SystemExit


def test_an_app_that_fails_now_and_did_not_then_is_a_difference(tmp_path: Path) -> None:
    place = tmp_path / "it.zip"
    recorded(place, INCIDENTS["handler raises"].happen, app=echo, env=QUICK)

    pairs = replayed(read_bundle(place), app=fails).pairs()

    assert any(pair.then is None and pair.says == "raised" for pair in pairs)
