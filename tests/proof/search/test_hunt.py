"""The search with bots that are no programs, in no time."""

import asyncio
import itertools

import pytest

from pytest_hangfm.proof.search.findings import CONFIRMED
from pytest_hangfm.proof.search.hunt import Hunt
from pytest_hangfm.proof.search.kinds import KINDS
from pytest_hangfm.simulation.plan import Plan
from tests.proof.search.toy import Toy, kinds_of

pytestmark = pytest.mark.virtual_time

MINUTES_3 = 180.0
PAIR = {"room.cut", "chat.send-slow"}
SOME = {name: KINDS[name] for name in (*PAIR, "room.reset", "chat.away", "chat.lines", "chat.token-ends")}
AT_ONCE = 10


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_sound_bot_comes_through_as_many_schedules_as_there_is_time_for() -> None:
    bot, began = Toy(), now()

    hunted = await Hunt(bot, KINDS, MINUTES_3, AT_ONCE).run()

    assert now() - began <= MINUTES_3 + 1
    assert hunted.is_over
    assert hunted.schedules == len(bot.plays) >= 30
    assert (hunted.findings, bot.alive, bot.most) == ({}, 0, AT_ONCE)


async def test_two_faults_that_only_together_break_a_bot_are_found_without_any_other() -> None:
    bot = Toy(lambda plan: kinds_of(plan) >= PAIR)

    hunted = await Hunt(bot, SOME, MINUTES_3, AT_ONCE).run()

    finding = hunted.findings["search.recovers"]
    assert kinds_of(finding.plan) == PAIR
    assert (finding.failed, finding.times, finding.is_flaky) == (CONFIRMED, CONFIRMED, False)
    assert finding.evidence is not None
    assert bot.most <= AT_ONCE + 1  # what is suspected is played to its end beside the others


async def test_a_fault_that_is_enough_alone_is_found_alone() -> None:
    bot = Toy(lambda plan: "chat.token-ends" in kinds_of(plan), "search.alive")

    hunted = await Hunt(bot, KINDS, MINUTES_3, AT_ONCE).run()

    assert kinds_of(hunted.findings["search.alive"].plan) == {"chat.token-ends"}


async def test_what_is_enough_alone_hides_nothing_else() -> None:
    def fails(plan: Plan) -> bool:
        return "chat.lines" in kinds_of(plan)

    bot = Toy(fails, "search.lost")

    await Hunt(bot, SOME, 2 * MINUTES_3, AT_ONCE).run()

    confirmed = max(place for place, plan in enumerate(bot.plays) if kinds_of(plan) == {"chat.lines"})
    assert [plan for plan in bot.plays[confirmed + 1 + AT_ONCE :] if fails(plan)] == []
    assert len(bot.plays) > confirmed + 2 * AT_ONCE


async def test_a_bot_that_takes_its_time_has_done_nothing_wrong() -> None:
    bot = Toy(lambda plan: kinds_of(plan) >= PAIR, recovers=True)

    hunted = await Hunt(bot, SOME, MINUTES_3, AT_ONCE).run()

    assert hunted.findings == {}
    assert hunted.schedules >= AT_ONCE


async def test_what_does_not_fail_each_time_is_flaky_with_its_rate() -> None:
    turns = itertools.count()
    bot = Toy(lambda plan: kinds_of(plan) >= PAIR and next(turns) % 3 > 0)

    hunted = await Hunt(bot, SOME, 2 * MINUTES_3, AT_ONCE).run()

    finding = hunted.findings["search.recovers"]
    assert finding.is_flaky
    assert 0 < finding.failed < finding.times


async def test_a_failure_that_there_was_no_time_to_confirm_is_told_as_often_as_it_was_seen() -> None:
    bot = Toy(lambda plan: bool(kinds_of(plan)))

    hunted = await Hunt(bot, KINDS, 110.0, AT_ONCE).run()

    finding = hunted.findings["search.recovers"]
    assert (finding.failed, finding.is_flaky) == (finding.times, True)
    assert 0 < finding.times < CONFIRMED


async def test_with_one_bot_at_a_time_there_is_never_a_second() -> None:
    bot = Toy()

    hunted = await Hunt(bot, KINDS, MINUTES_3, 1).run()

    assert bot.most == 1
    assert hunted.schedules >= 3


async def test_a_bot_that_cannot_be_played_ends_the_search_with_the_reason() -> None:
    bot, began = Toy(does_not_start="it was not in the room within 15 s"), now()

    hunted = await Hunt(bot, KINDS, MINUTES_3, AT_ONCE).run()

    assert hunted.problem == "it was not in the room within 15 s"
    assert now() - began < 10


async def test_what_is_broken_off_keeps_what_it_has_found_and_leaves_no_bot() -> None:
    bot = Toy(lambda plan: kinds_of(plan) >= PAIR)
    hunt = Hunt(bot, SOME, 10 * MINUTES_3, AT_ONCE)
    searching = asyncio.create_task(hunt.run())
    await asyncio.sleep(MINUTES_3)

    searching.cancel()
    await asyncio.gather(searching, return_exceptions=True)

    assert list(hunt.hunted.findings) == ["search.recovers"]
    assert (hunt.hunted.is_over, bot.alive) == (False, 0)


async def test_two_searches_play_the_same_schedules_in_the_same_order() -> None:
    first, second = Toy(), Toy()

    await Hunt(first, KINDS, MINUTES_3, AT_ONCE).run()
    await Hunt(second, KINDS, MINUTES_3, AT_ONCE).run()

    most = min(len(first.plays), len(second.plays))
    assert first.plays[:most] == second.plays[:most]
