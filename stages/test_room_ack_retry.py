"""ACK and retry over the room socket: an action is asked about before it is done again.

The plain ACK runs against any server; what needs a fault or a second person says that it
needs the sandbox.
"""

import asyncio

import pytest

from hangbot import Bot, RoomClient, Settings
from hangbot.sandbox import Sandbox
from pytest_hangfm import AckRecorder, ManualClock, OpenBot

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.stage,
    pytest.mark.remedy(
        "Raise SOCKET_TIMEOUT_MS when the room is merely slow; else read the deliveries below."
    ),
]

ACK_TIMEOUT = 5.0
BACK_OFF = 1.0
"""Seconds that no wait between attempts is longer than."""
AN_HOUR = 3600.0


@pytest.fixture
def hangfm_settings(hangfm_settings: Settings, hangfm_target: str) -> Settings:
    """On the sandbox with waits that the tests know, and without polls that move with their clock."""
    if hangfm_target == "live":
        return hangfm_settings
    return hangfm_settings.with_changes(ack_timeout=ACK_TIMEOUT, retry_max=BACK_OFF, poll_interval=AN_HOUR)


async def test_an_action_is_acknowledged_on_the_first_attempt(
    hangfm_bot: Bot, hangfm_acks: AckRecorder
) -> None:
    end = await hangfm_bot.act("playOneTimeAnimation", animation="jump")

    assert (end.state, end.tier, end.attempts) == ("delivered", 1, 1)
    assert hangfm_acks.story(hangfm_acks.ids[-1]) == ["acknowledged"]


async def test_four_actions_at_once_get_their_own_acknowledgements(hangfm_room: RoomClient) -> None:
    jumps = [hangfm_room.act("playOneTimeAnimation", animation="jump") for _ in range(4)]

    answers = await asyncio.gather(*jumps)

    assert len(answers) == 4


@pytest.mark.parametrize(
    ("action", "story", "attempts"),
    [
        pytest.param("drop", ["AckTimeout", "it arrived"], 1, id="done-answer-lost"),
        pytest.param("hang", ["AckTimeout", "it did not arrive", "acknowledged"], 2, id="not-done"),
    ],
)
async def test_an_unanswered_action_is_asked_about_in_the_state(
    *,
    hangfm_sandbox: Sandbox,
    hangfm_open_bot: OpenBot,
    hangfm_clock: ManualClock,
    hangfm_acks: AckRecorder,
    action: str,
    story: list[str],
    attempts: int,
) -> None:
    bot = await hangfm_open_bot(clock=hangfm_clock)
    fault = hangfm_sandbox.faults.add("room.action", action)

    async with asyncio.TaskGroup() as tasks:
        acting = tasks.create_task(bot.act("addDj"), name="acting")
        await hangfm_sandbox.journal.wait_for(lambda event: event.get("fault") == fault.id)
        await hangfm_clock.advance(ACK_TIMEOUT + BACK_OFF)

    end = acting.result()

    assert (end.state, end.tier, end.attempts) == ("delivered", 2, attempts)
    assert hangfm_acks.story(hangfm_acks.ids[-1]) == story
    assert [dj["uuid"] for dj in hangfm_sandbox.state["djs"]] == [hangfm_sandbox.bot.uid]


async def test_an_answer_that_comes_twice_is_taken_once(
    hangfm_sandbox: Sandbox, hangfm_bot: Bot, hangfm_acks: AckRecorder
) -> None:
    hangfm_sandbox.faults.add("room.action", "duplicate")

    end = await hangfm_bot.act("addDj")
    again = await hangfm_bot.act("removeDj")

    assert (end.tier, again.tier) == (1, 1)
    assert [hangfm_acks.story(key) for key in hangfm_acks.ids] == [["acknowledged"], ["acknowledged"]]


async def test_an_action_that_is_never_answered_is_given_up_after_three_attempts(
    hangfm_sandbox: Sandbox, hangfm_open_bot: OpenBot, hangfm_clock: ManualClock
) -> None:
    bot = await hangfm_open_bot(clock=hangfm_clock)
    fault = hangfm_sandbox.faults.add("room.action", "hang", times=0)
    journal = hangfm_sandbox.journal

    async with asyncio.TaskGroup() as tasks:
        acting = tasks.create_task(bot.act("addDj"), name="acting")
        seen = 0
        for _ in range(3):
            hit = await journal.wait_for(lambda event: event.get("fault") == fault.id, since=seen)
            seen = hit["n"]
            await hangfm_clock.advance(ACK_TIMEOUT + BACK_OFF)

    end = acting.result()

    assert (end.state, end.tier, end.attempts) == ("failed", 3, 3)
    assert "no acknowledgement" in end.reason
    assert hangfm_sandbox.state["djs"] == []


async def test_a_refusal_is_final(hangfm_sandbox: Sandbox, hangfm_bot: Bot) -> None:
    end = await hangfm_bot.act("voteOnSong", songVotes={"like": True})

    assert (end.state, end.tier, end.attempts) == ("failed", 3, 1)
    assert "Nothing is playing right now." in end.reason
    assert hangfm_sandbox.state["voteCounts"]["likes"] == 0


async def test_an_animation_leaves_no_trace_so_a_lost_answer_stays_uncertain(
    hangfm_sandbox: Sandbox, hangfm_open_bot: OpenBot, hangfm_clock: ManualClock
) -> None:
    bot = await hangfm_open_bot(clock=hangfm_clock)
    fault = hangfm_sandbox.faults.add("room.action", "drop")

    async with asyncio.TaskGroup() as tasks:
        acting = tasks.create_task(bot.act("playOneTimeAnimation", animation="jump"), name="acting")
        await hangfm_sandbox.journal.wait_for(lambda event: event.get("fault") == fault.id)
        await hangfm_clock.advance(ACK_TIMEOUT + BACK_OFF)

    end = acting.result()

    assert (end.state, end.tier, end.attempts) == ("uncertain", None, 1)


async def test_an_action_is_not_replayed_on_the_next_connection(
    hangfm_sandbox: Sandbox, hangfm_bot: Bot
) -> None:
    hangfm_sandbox.faults.add("room.action", "cut_after_store")

    before = hangfm_sandbox.journal.last_n

    end = await hangfm_bot.act("addDj")
    await hangfm_sandbox.journal.wait_for(lambda event: event["kind"] == "open", since=before)
    await hangfm_bot.ready()

    assert (end.state, end.attempts) == ("uncertain", 1)
    assert [dj["uuid"] for dj in hangfm_sandbox.state["djs"]] == [hangfm_sandbox.bot.uid]
