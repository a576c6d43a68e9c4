"""The orchestrator: from the configuration to the clean stop, with everything in between.

The plain run goes against any server, and deletes there what it said; what needs a fault or a second
person says that it needs the sandbox.
"""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Final

import pytest

from hangbot import Bot, ChatClient, Outbox, Settings, preflight
from hangbot.errors import RemovedFromRoom
from hangbot.factory import open_subject
from hangbot.sandbox import Actor, Sandbox
from pytest_hangfm import AckRecorder, OpenBot, OpenProcess, OpenUser, RoomLog

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.stage,
    pytest.mark.remedy("Run `hangbot preflight`, then `hangbot run --sandbox --log-level debug`."),
]

PATIENCE: Final = 60.0
"""Seconds for a process to start or to end: it takes one, but on a machine that is busy many."""


async def test_a_run_from_preflight_to_a_clean_stop(
    hangfm_settings: Settings, hangfm_open_bot: OpenBot, hangfm_chat: ChatClient, hangfm_acks: AckRecorder
) -> None:
    async with open_subject(hangfm_settings) as subject:
        results = [result async for result in preflight.examine(subject)]
    bot = await hangfm_open_bot(run=False, boot_message="a stage test of hangbot is here")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bot.run(), name="bot")
        await bot.ready()
        (stored,) = await bot.say("and says hello")
        end = await bot.settled(stored.message.id)
        bot.stop()

    assert preflight.overall(results) == "ready"
    assert (end.state, end.tier) == ("delivered", 1)
    heard = [row.text for row in await hangfm_chat.history() if row.muid in hangfm_acks.ids]
    assert heard == ["a stage test of hangbot is here", "and says hello"]
    assert all(hangfm_acks.settlement(key) for key in hangfm_acks.ids)


@pytest.mark.usefixtures("hangfm_bot")
async def test_uptime_is_answered_in_the_room(
    hangfm_user: Actor, hangfm_sandbox: Sandbox, hangfm_room_log: RoomLog
) -> None:
    await hangfm_user.say("/uptime")

    await hangfm_room_log.expect("has been up for", from_=hangfm_sandbox.bot)
    assert len(hangfm_room_log.texts(hangfm_sandbox.bot)) == 1


async def test_after_a_lost_connection_the_bot_joins_again(
    hangfm_sandbox: Sandbox, hangfm_bot: Bot, hangfm_user: Actor, hangfm_room_log: RoomLog
) -> None:
    before = hangfm_sandbox.journal.last_n

    await hangfm_sandbox.restart(services=["room"])
    await hangfm_sandbox.journal.wait_for(lambda event: "joinRoom" in event.get("frame", ""), since=before)
    await hangfm_bot.ready()
    await hangfm_user.say("/uptime")

    await hangfm_room_log.expect("has been up for", from_=hangfm_sandbox.bot)


async def test_a_kicked_bot_says_why_it_ended_and_keeps_what_it_accepted(
    hangfm_sandbox: Sandbox, hangfm_open_bot: OpenBot, hangfm_outbox: Outbox
) -> None:
    bot = await hangfm_open_bot(run=False)
    running = asyncio.create_task(bot.run(), name="bot")
    await bot.ready()
    await bot.say("last words", key="m-1")

    await hangfm_sandbox.kick(hangfm_sandbox.bot.uid)

    with pytest.raises(RemovedFromRoom, match="moderator"):
        await running
    assert (await hangfm_outbox.get("m-1")).state in {"queued", "delivered"}


@pytest.mark.usefixtures("hangfm_bot")
async def test_two_people_are_answered_once_each(
    hangfm_open_user: OpenUser, hangfm_sandbox: Sandbox, hangfm_room_log: RoomLog
) -> None:
    alice, bob = await hangfm_open_user("alice"), await hangfm_open_user("bob")

    await alice.say("/uptime")
    await bob.say("/uptime")

    for _ in range(2):
        await hangfm_room_log.expect("has been up for", from_=hangfm_sandbox.bot)


async def test_the_command_runs_answers_and_ends_with_zero_on_sigterm(
    hangfm_open_process: OpenProcess,
    hangfm_user: Actor,
    hangfm_sandbox: Sandbox,
    hangfm_room_log: RoomLog,
    tmp_path: Path,
) -> None:
    bot = await hangfm_open_process([sys.executable, "-m", "hangbot", "run"], cwd=tmp_path, within=PATIENCE)
    await bot.joined()
    await bot.expect("reading the chat", within=PATIENCE)

    await hangfm_user.say("/uptime")
    await hangfm_room_log.expect("has been up for", from_=hangfm_sandbox.bot, within=PATIENCE)
    bot.send_signal(signal.SIGTERM)

    assert await bot.wait(within=PATIENCE) == 0
    await bot.expect("delivered 1", within=PATIENCE)
