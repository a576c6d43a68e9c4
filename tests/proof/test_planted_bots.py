"""Sound bots with one fault each: the proof finds the rules that the fault breaks, and no other."""

import os
from pathlib import Path

import pytest

from pytest_hangfm.proof.bot_process import BotProgram
from pytest_hangfm.proof.conductor import play_once
from pytest_hangfm.proof.learning import learn
from pytest_hangfm.proof.rules import all_rules
from pytest_hangfm.proof.scenario import load
from tests.cases import rows
from tests.proof.bots.at_once import all_at_once
from tests.proof.bots.pairs import PAIRS
from tests.proof.bots.planted import PROFILES, Planted, all_scenarios, need, planted
from tests.proof.bots.python.faults import KNOWN

EVERYTHING = os.environ.get("HANGBOT_PROVE_PLANTED") == "all"
"""Whether each bot is played in every scenario, which takes half an hour; otherwise in those of its day."""
IN_PAIRS = [pytest.param(bot, id=bot.fault) for bot in planted() if bot.pair]


@pytest.mark.slow
@pytest.mark.timeout(7200 if EVERYTHING else 1800)
@rows("language", ("python",), ("node",))
async def test_each_bot_is_given_the_rules_that_it_breaks_and_no_other_and_a_sound_one_none(
    language: str, tmp_path: Path
) -> None:
    need(language)
    days = {
        bot: all_scenarios() if EVERYTHING or not bot.fault else bot.day(place)
        for place, bot in enumerate([*planted(), Planted("", language)])
        if bot.language == language
    }

    found = await all_at_once(days, tmp_path)

    assert {fault: verdicts for fault, verdicts in found.items() if verdicts} == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("bot", IN_PAIRS)
async def test_a_fault_that_only_two_others_show_is_found_by_both(bot: Planted, tmp_path: Path) -> None:
    need(bot.language)
    sound, both = Planted("", bot.language), PAIRS[bot.pair]

    shown = await play_once(both, BotProgram.of(bot.argv, tmp_path, bot.env), bot.profile)
    well = await play_once(both, BotProgram.of(sound.argv, tmp_path, sound.env), sound.profile)

    assert (well.not_exercised, well.not_applicable, well.blames) == ("", "", ())
    assert [rule for rule, _ in shown.blames] == list(both.rules)


@pytest.mark.slow
@rows("language", ("python",), ("node",))
async def test_what_a_sound_bot_does_is_learnt(language: str, tmp_path: Path) -> None:
    need(language)
    bot = Planted("", language)

    learnt = await learn(BotProgram.of(bot.argv, tmp_path, bot.env))

    assert learnt.joined
    assert {**_known(learnt.profile), "start": 0} == {**_known(PROFILES[language]), "start": 0}


def _known(profile: object) -> dict[str, object]:
    return {name: getattr(profile, name) for name in type(profile).__dataclass_fields__}  # type: ignore[attr-defined]


def test_the_table_names_rules_and_scenarios_that_there_are() -> None:
    bots = planted()
    rules = {rule.id for rule in all_rules()}

    assert len(bots) >= 24
    assert [name for bot in bots for name in bot.breaks if name not in rules] == []
    assert {bot.fault for bot in bots if bot.language == "python"} == KNOWN
    assert {bot.family for bot in bots} <= {each.family for each in load().values()}
    assert [bot.fault for bot in bots if not bot.breaks and bot.pair not in PAIRS] == []


def test_a_usual_run_plays_what_judges_the_broken_rules_and_five_others() -> None:
    for place, bot in enumerate(planted()):
        played = bot.day(place)

        judged = {rule for name in played for rule in load()[name].rules}
        assert len(played) == len(set(played))
        assert set(bot.breaks) - judged <= {"room-socket.one-connection"}  # which every scenario judges
        assert len([name for name in played if load()[name].pace == "quick"]) >= 5
