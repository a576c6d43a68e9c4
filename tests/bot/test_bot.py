from __future__ import annotations

import asyncio
import functools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from hangbot.clock import SystemClock
from hangbot.errors import OutboxUnusable, RemovedFromRoom, Unreachable
from hangbot.factory import open_bot, open_outbox
from pytest_hangfm.manual_clock import ManualClock
from tests.bounds import WITHIN
from tests.rng import FixedRng

if TYPE_CHECKING:
    import logging
    from collections.abc import AsyncIterator, Callable

    from hangbot.bot.bot import App, Bot
    from hangbot.bot.events import ChatMessage
    from hangbot.clock import Clock
    from hangbot.config import Settings
    from hangbot.delivery.outbox import Outbox
    from hangbot.sandbox import Sandbox
    from pytest_hangfm import AckRecorder, OpenBot, OpenUser, RoomLog

NOWHERE = "http://127.0.0.1:9"
SONG = {"artistName": "Ann", "trackName": "One", "musicProviders": {"youtube": "x"}, "duration": 100}


class Ears:
    """An app that remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[str | None] = []
        self._news = asyncio.Event()

    async def __call__(self, _bot: Bot, message: ChatMessage) -> None:
        self.heard.append(message.text)
        self._news.set()

    async def until(self, text: str) -> None:
        async with asyncio.timeout(WITHIN):
            while text not in self.heard:
                self._news.clear()
                await self._news.wait()


class Running:
    """A bot whose `run` the test watches itself."""

    def __init__(self, bot: Bot, outbox: Outbox) -> None:
        self.bot = bot
        self.outbox = outbox
        self.task = asyncio.create_task(bot.run(), name="bot")

    async def ready(self) -> None:
        async with asyncio.timeout(WITHIN):
            await self.bot.ready()

    async def end(self) -> None:
        """Wait for the end of `run`, and raise what it raised."""
        async with asyncio.timeout(WITHIN):
            await self.task


@asynccontextmanager
async def running(
    settings: Settings, *, app: App | None = None, clock: Clock | None = None
) -> AsyncIterator[Running]:
    """Run a bot whose chance always says the most."""
    clock = clock or SystemClock()
    async with (
        open_outbox(settings) as outbox,
        open_bot(settings, outbox, app=app, clock=clock, rng=FixedRng(1.0)) as bot,
    ):
        run = Running(bot, outbox)
        try:
            yield run
        finally:
            run.task.cancel()
            await asyncio.gather(run.task, return_exceptions=True)


def lost(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """How the bot came to be out of its room."""
    return [record for record in caplog.records if getattr(record, "action", "") == "room_lost"]


def has_lost(caplog: pytest.LogCaptureFixture, times: int) -> bool:
    return len(lost(caplog)) == times


def joins(sandbox: Sandbox) -> int:
    frames = sandbox.journal.events(service="room", dir="in", kind="frame")
    return sum('"action": "joinRoom"' in row["frame"] for row in frames)


async def joined_again(sandbox: Sandbox, times: int) -> None:
    await sandbox.journal.wait_for(lambda _: joins(sandbox) >= times)


# -- what is said in the room


async def test_uptime_is_answered_in_the_room_under_the_bots_name(
    hangfm_sandbox: Sandbox, hangfm_open_bot: OpenBot, hangfm_open_user: OpenUser, hangfm_room_log: RoomLog
) -> None:
    await hangfm_open_bot(bot_name="Hal")
    alice = await hangfm_open_user("alice")

    await alice.say(" /uptime\n")

    answer = await hangfm_room_log.expect("Hal has been up for", from_=hangfm_sandbox.bot)
    assert answer["data"]["metadata"]["chatMessage"]["userName"] == "Hal"


async def test_without_a_name_of_its_own_the_bot_speaks_under_its_profiles(
    hangfm_sandbox: Sandbox, hangfm_open_bot: OpenBot, hangfm_room_log: RoomLog
) -> None:
    bot = await hangfm_open_bot()

    await bot.say("hello")

    row = await hangfm_room_log.expect("hello", from_=hangfm_sandbox.bot)
    assert row["data"]["metadata"]["chatMessage"]["userName"] == "hangbot"


async def test_an_app_hears_others_in_order_and_never_the_bot_itself(
    hangfm_open_bot: OpenBot, hangfm_open_user: OpenUser, hangfm_acks: AckRecorder
) -> None:
    ears = Ears()
    bot = await hangfm_open_bot(app=ears)
    alice, bob = await hangfm_open_user("alice"), await hangfm_open_user("bob")

    await bot.say("I speak", key="m-1")
    await hangfm_acks.settled("m-1")
    await alice.say("one")
    await bob.say("two")
    await alice.say("three")
    await ears.until("three")

    assert ears.heard == ["one", "two", "three"]


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN):
        while not true():  # noqa: ASYNC110  what it waits for is told by no event
            await asyncio.sleep(0.01)


def red(bot: Bot) -> list[str]:
    return [condition.part for condition in bot.health().red]


@pytest.mark.slow
async def test_a_token_that_is_refused_again_after_an_exchange_keeps_its_message_in_red_until_it_is_taken(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    clock = ManualClock()
    own = {"error": {"code": "ERR_NO_AUTH", "message": "Who?"}}

    async with running(hangfm_settings, clock=clock) as run:
        await run.ready()
        await clock.next_wait()
        before = len(hangfm_sandbox.journal.events(service="gateway", dir="in"))
        fault = hangfm_sandbox.faults.add("chat.*", "status", status=401, body=own, times=0)
        (stored,) = await run.bot.say("hello")
        await until(lambda: red(run.bot) == ["chat token"])
        await until(lambda: any(30.0 <= wait <= 60.0 for wait in clock.waits()))
        async with asyncio.timeout(WITHIN):
            while (await run.outbox.get(stored.message.id)).state != "queued":  # noqa: ASYNC110  a file tells no event
                await asyncio.sleep(0.01)
        exchanges = len(hangfm_sandbox.journal.events(service="gateway", dir="in")) - before
        hangfm_sandbox.faults.remove(fault.id)
        await clock.advance(60.0)
        await until(lambda: run.bot.health().ok)
        await clock.advance(60.0)
        end = await asyncio.wait_for(run.bot.settled(stored.message.id), WITHIN)

    assert exchanges == 1
    assert (end.state, end.tier) == ("delivered", 2)


# -- the app


async def test_a_bot_that_stops_takes_its_app_with_it(
    hangfm_settings: Settings, hangfm_open_user: OpenUser
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def app(_bot: Bot, _message: ChatMessage) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with running(hangfm_settings, app=app) as run:
        await run.ready()
        alice = await hangfm_open_user("alice")
        await alice.say("hello")
        async with asyncio.timeout(WITHIN):
            await begun.wait()
        run.bot.stop()
        await run.end()

    assert ended.is_set()


# -- in and out of the room


@pytest.mark.parametrize("status", [401, 403])
async def test_a_room_token_that_is_refused_after_its_expiry_is_tried_on_seldom_in_red_with_its_remedy(
    status: int, hangfm_sandbox: Sandbox, hangfm_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    token = hangfm_sandbox.people.issue(hangfm_sandbox.bot.uid, lifetime_s=3600)
    clock = ManualClock(wall=hangfm_sandbox.clock.now_s())
    settings = hangfm_settings.with_changes(
        bot_user_token=token, ttfm_api_token=token, heartbeat_timeout=3600.0, poll_interval=3600.0
    )

    async with running(settings, clock=clock) as run:
        await run.ready()
        clock.set_wall(clock.wall() + 2 * 86_400)
        refusing = hangfm_sandbox.faults.add("room.connect", "status", status=status, times=0)
        await hangfm_sandbox.restart(services=["room"])
        for number in range(1, 4):
            await until(functools.partial(has_lost, caplog, number))
            await clock.advance(lost(caplog)[-1].__dict__["wait_s"])
        await until(functools.partial(has_lost, caplog, 4))
        refused = run.bot.health()
        hangfm_sandbox.faults.remove(refusing.id)
        await clock.advance(60)
        await run.ready()

        assert run.bot.health().ok
    assert [record.__dict__["wait_s"] for record in lost(caplog)[1:]] == [60.0, 60.0, 60.0]
    (red,) = [condition for condition in refused.red if condition.part == "room admission"]
    assert not refused.ok
    assert f"refused the connection with status {status}; the token expired 2.0 days ago" in red.sentence
    assert red.remedy.startswith("Renew BOT_USER_TOKEN")
    (room,) = [condition for condition in refused.red if condition.part == "room"]
    assert room.remedy == red.remedy  # not that it connects again by itself


async def test_a_lost_state_is_fetched_anew(
    hangfm_sandbox: Sandbox,
    hangfm_settings: Settings,
    hangfm_open_user: OpenUser,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(hangfm_settings) as run:
        await run.ready()
        hangfm_sandbox.faults.add("room.message", "duplicate")
        alice = await hangfm_open_user("alice")
        await until(lambda: lost(caplog))
        await run.ready()

        assert run.bot.room is not None
        assert run.bot.room.state is not None
        assert sorted(run.bot.room.state.users()) == sorted([alice.uid, hangfm_sandbox.bot.uid])
    assert ["state lost" in record.getMessage() for record in lost(caplog)] == [True]


async def test_while_a_state_is_fetched_anew_the_old_one_is_readable_and_nobody_sees_the_bot_leave(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, hangfm_open_user: OpenUser
) -> None:
    alice = await hangfm_open_user("alice")
    async with running(
        hangfm_settings, clock=ManualClock()
    ) as run:  # never moved: whoever waits, waits for ever
        await run.ready()
        before = hangfm_sandbox.journal.last_n
        hangfm_sandbox.faults.add("room.connect", "delay", ms=200)
        hangfm_sandbox.faults.add("room.action", "hang")
        pending = asyncio.create_task(run.bot.act("addDj", song=SONG), name="pending")
        await hangfm_sandbox.journal.wait_for(lambda row: row.get("deed") == "hang")

        await hangfm_sandbox.forget(hangfm_sandbox.bot.uid)
        async with asyncio.timeout(WITHIN):
            end = await pending
        await hangfm_sandbox.journal.wait_for(
            lambda row: row["kind"] == "http" and row.get("deed") == "delay", since=before
        )
        old = run.bot.room
        with pytest.raises(Unreachable):
            await run.bot.act("addDj", song=SONG)
        await joined_again(hangfm_sandbox, 2)
        await run.ready()

        assert old is not None
        assert old.state is not None
        assert list(old.state.users()) == [alice.uid]
        assert run.bot.room is not old
        assert run.bot.health().ok
    assert (end.state, "connection" in end.reason) == ("uncertain", True)
    rows = hangfm_sandbox.journal.events(since=before, service="room")
    ends = [(row["dir"], row["kind"]) for row in rows if row["kind"] in {"open", "close"}]
    assert ends[:2] == [("in", "close"), ("in", "open")]
    assert hangfm_sandbox.bot.uid in [user["uuid"] for user in hangfm_sandbox.state["allUsers"]]


async def test_a_kicked_bot_finishes_its_messages_and_ends_with_that_reason(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    hangfm_sandbox.faults.add("chat.send", "delay", ms=100)

    async with running(hangfm_settings) as run:
        await run.ready()
        await run.bot.say("on its way", key="m-1")
        await hangfm_sandbox.journal.wait_for(
            lambda row: "/messages" in row.get("path", "") and row["method"] == "POST"
        )
        await hangfm_sandbox.kick(hangfm_sandbox.bot.uid)
        with pytest.raises(RemovedFromRoom, match="moderator"):
            await run.end()

        row = await run.outbox.get("m-1")
    assert (row.state, row.tier) == ("delivered", 1)
    assert joins(hangfm_sandbox) == 1


# -- room actions


async def test_an_action_is_refused_while_the_bot_is_not_in_the_room(hangfm_open_bot: OpenBot) -> None:
    bot = await hangfm_open_bot(run=False)

    with pytest.raises(Unreachable, match="the bot is not in the room"):
        await bot.act("addDj", song=SONG)


async def test_an_action_whose_answer_is_lost_is_found_in_the_state_and_not_repeated(
    hangfm_sandbox: Sandbox, hangfm_open_bot: OpenBot
) -> None:
    bot = await hangfm_open_bot(ack_timeout=0.5)
    hangfm_sandbox.faults.add("room.action", "drop")

    end = await bot.act("addDj", song=SONG)

    assert (end.state, end.tier, end.attempts) == ("delivered", 2, 1)
    assert len(hangfm_sandbox.state["djs"]) == 1


@pytest.mark.parametrize("deed", ["drop", "hang", "abort", "close", "cut_after_store", "status"])
@pytest.mark.parametrize("action", ["addDj", "playOneTimeAnimation"])
async def test_whatever_becomes_of_an_action_its_remedy_names_no_command_that_knows_only_messages(
    action: str, deed: str, hangfm_sandbox: Sandbox, hangfm_open_bot: OpenBot
) -> None:
    bot = await hangfm_open_bot(ack_timeout=0.1, retry_total=0.5)
    body = "you have too many pending requests" if deed == "status" else None
    hangfm_sandbox.faults.add("room.action", deed, times=0, body=body)

    end = await bot.act(action, **({"song": SONG} if action == "addDj" else {"animation": "jump"}))

    assert end.state in {"failed", "uncertain", "delivered"}
    assert (end.remedy != "") == (end.state != "delivered")
    assert not any(word in end.remedy for word in ("outbox", "HANGBOT_RATE", "hangbot ")), end


async def test_a_refused_action_says_why(hangfm_open_bot: OpenBot) -> None:
    bot = await hangfm_open_bot()

    end = await bot.act("skipSong")

    assert (end.state, end.tier) == ("failed", 3)
    assert "the room refused skipSong" in end.reason


# -- the beginning and the end


async def test_the_boot_message_is_said_once(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, hangfm_room_log: RoomLog
) -> None:
    async with running(hangfm_settings.with_changes(boot_message="good evening")) as run:
        await run.ready()
        await hangfm_room_log.expect("good evening")
        await hangfm_sandbox.restart(services=["room"])
        await joined_again(hangfm_sandbox, 2)
        await run.ready()
        run.bot.stop()
        await run.end()

    assert hangfm_room_log.texts(from_=hangfm_sandbox.bot) == ["good evening"]


async def test_a_bot_that_was_told_to_stop_before_it_began_says_and_leaves_nothing(
    hangfm_settings: Settings,
) -> None:
    settings = hangfm_settings.with_changes(boot_message="good evening")
    async with open_outbox(settings) as outbox, open_bot(settings, outbox) as bot:
        bot.stop()
        bot.stop()
        async with asyncio.timeout(WITHIN):
            await bot.run()

        assert await outbox.rows() == []


async def test_a_bot_whose_services_are_all_down_stops_when_told(hangfm_settings: Settings) -> None:
    down = hangfm_settings.with_changes(room_url=NOWHERE, chat_url=NOWHERE, gateway_url=NOWHERE)

    async with running(down.with_changes(retry_base=30.0, retry_max=30.0)) as run:
        (stored,) = await run.bot.say("later", key="m-1")
        run.bot.stop()
        await run.end()

        assert (await run.outbox.get("m-1")).state == "queued"
        assert stored.message.text == "later"


async def test_what_is_on_its_way_when_the_bot_stops_is_finished_and_what_waits_is_left(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    hangfm_sandbox.faults.add("chat.send", "delay", ms=100)

    async with running(hangfm_settings) as run:
        await run.ready()
        await run.bot.say("on its way", key="m-1")
        await run.bot.say("waiting", key="m-2")
        await hangfm_sandbox.journal.wait_for(
            lambda row: row.get("method") == "POST" and "/messages" in row["path"]
        )
        run.bot.stop()
        await run.end()

        states = [row.state for row in await run.outbox.rows()]
    assert states == ["delivered", "queued"]


async def test_the_drain_has_a_limit_and_what_it_leaves_is_in_doubt(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    hangfm_sandbox.faults.add("chat.send", "hang")

    async with running(hangfm_settings.with_changes(drain=0.05, ack_timeout=600.0)) as run:
        await run.ready()
        await run.bot.say("never answered", key="m-1")
        await hangfm_sandbox.journal.wait_for(
            lambda row: row.get("method") == "POST" and "/messages" in row["path"]
        )
        run.bot.stop()
        await run.end()

        row = await run.outbox.get("m-1")
    assert (row.state, row.in_doubt, row.attempts) == ("sending", True, 1)
    assert "left in the outbox" in caplog.text


async def test_a_disk_that_fails_ends_the_bot(hangfm_settings: Settings) -> None:
    async with running(hangfm_settings) as run:
        await run.ready()
        await run.outbox.close()

        with pytest.raises(OutboxUnusable, match="is closed"):
            await run.end()
