"""An app on the sandbox: what its handlers say, store and schedule."""

import pytest

from hangbot import App
from hangbot.sandbox import Actor, Sandbox
from pytest_hangfm import OpenBot, OpenUser, RoomLog
from tests.app.durable_app import app
from tests.bounds import WITHIN


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("/count", "1"),
        ("/C 5", "5"),
        ("/count many", "by is a whole number, not “many”. Usage: /count [by]"),
        ("/count 1 2", "“2” is too much. Usage: /count [by]"),
        ("/later", "seconds is missing. Usage: /later <seconds> <text…>"),
        ("/later 0.1 see  you", "late: see  you"),
        ("/skip", "/skip needs the role moderator."),
        ("/hug alice", "hugs @alice"),
        ("/hug nobody", "who is somebody in the room, not “nobody”. Usage: /hug <who>"),
        ("/early", "a settlement cannot be awaited before it"),
        ("/early", "tier 1"),
        ("/fail", "told: on purpose"),
        ("hello", "hello alice"),
        ("/uptime", "has been up for"),
        ("/room", "True, False"),
        ("/help", "/count [by]: Count on.\n"),
        ("/help /hug", "/hug <who>: Hug somebody."),
        ("/adminhelp", "/adminhelp needs the role moderator."),
        ("/retry", "/retry needs the role moderator."),
    ],
)
async def test_it_answers(
    hangfm_open_bot: OpenBot,
    hangfm_user: Actor,
    hangfm_room_log: RoomLog,
    caplog: pytest.LogCaptureFixture,
    said: str,
    heard: str,
) -> None:
    bot = await hangfm_open_bot(app=app)

    await hangfm_user.say(said)

    await hangfm_room_log.expect(heard, from_=bot.chat.uid, within=WITHIN)
    caplog.clear()  # of the handler that fails on purpose


async def test_a_handler_that_fails_leaves_nothing_but_what_is_said_of_it(
    hangfm_open_bot: OpenBot, hangfm_user: Actor, hangfm_room_log: RoomLog, caplog: pytest.LogCaptureFixture
) -> None:
    bot = await hangfm_open_bot(app=app)

    await hangfm_user.say("/fail")
    await hangfm_user.say("/count")

    await hangfm_room_log.expect("1", from_=bot.chat.uid, within=WITHIN)
    assert hangfm_room_log.texts(bot.chat.uid) == ["told: on purpose", "1"]
    caplog.clear()


async def test_counts_of_many_users_at_once_are_all_counted(
    hangfm_open_bot: OpenBot, hangfm_open_user: OpenUser, hangfm_room_log: RoomLog
) -> None:
    bot = await hangfm_open_bot(app=app, rate=0)
    users = [await hangfm_open_user(f"user {number}") for number in range(12)]

    for user in users:
        await user.say("/count")

    await hangfm_room_log.expect("12", from_=bot.chat.uid, within=WITHIN)
    assert sorted(map(int, hangfm_room_log.texts(bot.chat.uid))) == list(range(1, 13))


async def test_a_moderator_may_and_waits_for_the_next_time(
    hangfm_open_bot: OpenBot, hangfm_open_user: OpenUser, hangfm_room_log: RoomLog
) -> None:
    mod = await hangfm_open_user("mod", role="moderator")
    bot = await hangfm_open_bot(app=app)

    for _ in range(3):
        await mod.say("/skip")
    await mod.say("/count 7")

    await hangfm_room_log.expect("7", from_=bot.chat.uid, within=WITHIN)
    assert hangfm_room_log.texts(bot.chat.uid) == ["skipped", "Wait 10 s before /skip.", "7"]


async def test_a_banned_user_is_put_out_each_time(
    hangfm_open_bot: OpenBot, hangfm_open_user: OpenUser, hangfm_room_log: RoomLog, hangfm_sandbox: Sandbox
) -> None:
    mod = await hangfm_open_user("mod", role="moderator")
    rude = await hangfm_open_user("rude")
    bot = await hangfm_open_bot(app=app)
    hangfm_sandbox.users.set_role(bot.chat.uid or "", "moderator")

    await mod.say("/ban rude")
    await hangfm_room_log.expect("banned", from_=bot.chat.uid, within=WITHIN)
    assert rude.uid not in hangfm_sandbox.room
    await rude.join()

    await hangfm_sandbox.journal.wait_for(lambda _: rude.uid not in hangfm_sandbox.room)


async def test_a_ban_of_an_app_that_is_included_holds(
    hangfm_open_bot: OpenBot, hangfm_open_user: OpenUser, hangfm_room_log: RoomLog, hangfm_sandbox: Sandbox
) -> None:
    mod = await hangfm_open_user("mod", role="moderator")
    rude = await hangfm_open_user("rude")
    bot = await hangfm_open_bot(app=App("all").include(app))
    hangfm_sandbox.users.set_role(hangfm_sandbox.bot.uid, "moderator")
    await mod.say("/ban rude")
    await hangfm_room_log.expect("banned", from_=bot.chat.uid, within=WITHIN)

    await rude.join()

    await hangfm_sandbox.journal.wait_for(lambda _: rude.uid not in hangfm_sandbox.room)
