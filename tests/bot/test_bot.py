from __future__ import annotations

import asyncio
import functools
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

import hangbot
from hangbot.clock import SystemClock
from hangbot.errors import OutboxUnusable, RemovedFromRoom, Unreachable
from hangbot.factory import open_bot, open_outbox
from pytest_hangfm.manual_clock import ManualClock
from tests.bounds import WITHIN
from tests.rng import FixedRng

if TYPE_CHECKING:
    import logging
    from collections.abc import AsyncIterator, Callable

    from hangbot.bot.app_forms import AnyApp
    from hangbot.bot.bot import Bot
    from hangbot.bot.events import ChatMessage
    from hangbot.clock import Clock
    from hangbot.config import Settings
    from hangbot.delivery.outbox import Outbox
    from hangbot.sandbox import Sandbox
    from hangbot.sandbox.faults import Fault
    from pytest_hangfm import AckRecorder, OpenBot, OpenUser, RoomLog

Json: TypeAlias = Any
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
        await asyncio.wait_for(self.bot.ready(), WITHIN)

    async def stop(self) -> None:
        self.bot.stop()
        await self.end()

    async def end(self) -> None:
        """Wait for the end of `run`, and raise what it raised."""
        await asyncio.wait_for(self.task, WITHIN)


@dataclass(frozen=True)
class World:
    """A sandbox, and bots and users in it."""

    sandbox: Sandbox
    settings: Settings
    open_bot: OpenBot
    open_user: OpenUser
    log: RoomLog
    acks: AckRecorder

    @asynccontextmanager
    async def running(
        self, *, ready: bool = True, app: AnyApp | None = None, clock: Clock | None = None, **changes: Json
    ) -> AsyncIterator[Running]:
        """Run a bot whose chance always says the most, and wait until it is in the room."""
        settings = self.settings.with_changes(**changes)
        async with (
            open_outbox(settings) as outbox,
            open_bot(settings, outbox, app=app, clock=clock or SystemClock(), rng=FixedRng(1.0)) as bot,
        ):
            run = Running(bot, outbox)
            try:
                if ready:
                    await run.ready()
                yield run
            finally:
                run.task.cancel()
                await asyncio.gather(run.task, return_exceptions=True)

    def fault(self, on: str, do: str, **more: Json) -> Fault:
        return self.sandbox.faults.add(on, do, **more)

    async def wait_for(self, event: Callable[[dict[str, Any]], object], since: int = 0) -> None:
        await self.sandbox.journal.wait_for(lambda row: bool(event(row)), since=since)

    def joins(self) -> int:
        frames = self.sandbox.journal.events(service="room", dir="in", kind="frame")
        return sum('"action": "joinRoom"' in row["frame"] for row in frames)

    async def joined_again(self) -> None:
        await self.wait_for(lambda _: self.joins() >= 2)


@pytest.fixture
def world(
    hangfm_sandbox: Sandbox,
    hangfm_settings: Settings,
    hangfm_open_bot: OpenBot,
    hangfm_open_user: OpenUser,
    hangfm_room_log: RoomLog,
    hangfm_acks: AckRecorder,
) -> World:
    users = hangfm_open_bot, hangfm_open_user
    return World(hangfm_sandbox, hangfm_settings, *users, hangfm_room_log, hangfm_acks)


def is_a_send(row: dict[str, Any]) -> bool:
    return row.get("method") == "POST" and "/messages" in row["path"]


def lost(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """How the bot came to be out of its room."""
    return [record for record in caplog.records if getattr(record, "action", "") == "room_lost"]


def has_lost(caplog: pytest.LogCaptureFixture, times: int) -> bool:
    return len(lost(caplog)) == times


# -- what is said in the room


async def test_uptime_is_answered_in_the_room_under_the_bots_name(world: World) -> None:
    await world.open_bot(bot_name="Hal")
    alice = await world.open_user("alice")

    await alice.say(" /uptime\n")

    answer = await world.log.expect("Hal has been up for", from_=world.sandbox.bot)
    assert answer["data"]["metadata"]["chatMessage"]["userName"] == "Hal"


async def test_without_a_name_of_its_own_the_bot_speaks_under_its_profiles(world: World) -> None:
    bot = await world.open_bot()

    await bot.say("hello")

    row = await world.log.expect("hello", from_=world.sandbox.bot)
    assert row["data"]["metadata"]["chatMessage"]["userName"] == "hangbot"


async def test_an_app_hears_others_in_order_and_never_the_bot_itself(world: World) -> None:
    ears = Ears()
    bot = await world.open_bot(app=ears)
    alice, bob = await world.open_user("alice"), await world.open_user("bob")

    await bot.say("I speak", key="m-1")
    await world.acks.settled("m-1")
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
    world: World,
) -> None:
    clock = ManualClock(wall=world.sandbox.clock.now_s())
    own = {"error": {"code": "ERR_NO_AUTH", "message": "Who?"}}

    async with world.running(clock=clock) as run:
        await clock.next_wait()
        before = len(world.sandbox.journal.events(service="gateway", dir="in"))
        fault = world.fault("chat.*", "status", status=401, body=own, times=0)
        (stored,) = await run.bot.say("hello")
        await until(lambda: red(run.bot) == ["chat token"])
        await until(lambda: any(30.0 <= wait <= 60.0 for wait in clock.waits()))
        async with asyncio.timeout(WITHIN):
            while (await run.outbox.get(stored.message.id)).state != "queued":  # noqa: ASYNC110  a file tells no event
                await asyncio.sleep(0.01)
        exchanges = len(world.sandbox.journal.events(service="gateway", dir="in")) - before
        world.sandbox.faults.remove(fault.id)
        await clock.advance(60.0)
        await until(lambda: run.bot.health().ok)
        await clock.advance(60.0)
        end = await asyncio.wait_for(run.bot.settled(stored.message.id), WITHIN)

    assert exchanges == 1
    assert (end.state, end.tier) == ("delivered", 2)


# -- the app


async def test_a_bot_that_stops_takes_its_app_with_it(world: World) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def app(_bot: Bot, _message: ChatMessage) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with world.running(app=app) as run:
        alice = await world.open_user("alice")
        await alice.say("hello")
        await asyncio.wait_for(begun.wait(), WITHIN)
        await run.stop()

    assert ended.is_set()


async def test_a_handler_that_hangs_delays_neither_other_users_nor_uptime_nor_health(world: World) -> None:
    async def app(_bot: Bot, message: ChatMessage) -> None:
        if message.text == "hang":
            await asyncio.Event().wait()
        await message.reply(f"heard {message.text}")

    async with world.running(app=app, handler_timeout=600.0, drain=0.1) as run:
        alice, bob = await world.open_user("alice"), await world.open_user("bob")
        for text in ("hang", "after", "/uptime"):
            await alice.say(text)
        await bob.say("hello")
        await world.log.expect("heard hello")
        await world.log.expect("has been up for")

        assert run.bot.health().ok
        await run.stop()
    assert not any("after" in text for text in world.log.texts(from_=world.sandbox.bot))


async def test_the_parts_of_an_app_are_called_from_the_start_to_the_stop_and_what_they_say_is_said(
    world: World,
) -> None:
    class App:
        async def on_start(self, bot: Bot) -> None:
            await bot.say("start")

        async def on_message(self, _bot: Bot, message: ChatMessage) -> None:
            await message.reply("answer")

        async def on_stop(self, bot: Bot) -> None:
            await bot.say("stop")

    async with world.running(app=App()) as run:
        await world.log.expect("start")
        alice = await world.open_user("alice")
        await alice.say("hello")
        await world.log.expect("answer")
        await run.stop()

        rows = await run.outbox.rows()
    assert [row.message.text for row in rows] == ["start", "answer", "stop"]


async def test_what_an_app_says_at_the_stop_goes_out_before_the_end(world: World) -> None:
    app = hangbot.App()

    @app.stop
    async def goodbye(ctx: hangbot.Context) -> None:
        await ctx.say("goodbye")

    async with world.running(app=app) as run:
        await run.stop()

        (row,) = await run.outbox.rows()
    assert (row.message.text, row.state) == ("goodbye", "delivered")


# -- in and out of the room


@pytest.mark.parametrize("status", [401, 403])
async def test_a_room_token_that_is_refused_after_its_expiry_is_tried_on_seldom_in_red_with_its_remedy(
    status: int, caplog: pytest.LogCaptureFixture, world: World
) -> None:
    token = world.sandbox.people.issue(world.sandbox.bot.uid, lifetime_s=3600)
    clock = ManualClock(wall=world.sandbox.clock.now_s())
    tokens: Json = {"bot_user_token": token, "ttfm_api_token": token}

    async with world.running(clock=clock, heartbeat_timeout=3600.0, poll_interval=3600.0, **tokens) as run:
        clock.set_wall(clock.wall() + 2 * 86_400)
        refusing = world.fault("room.connect", "status", status=status, times=0)
        await world.sandbox.restart(services=["room"])
        for number in range(1, 4):
            await until(functools.partial(has_lost, caplog, number))
            await clock.advance(lost(caplog)[-1].__dict__["wait_s"])
        await until(functools.partial(has_lost, caplog, 4))
        refused = run.bot.health()
        world.sandbox.faults.remove(refusing.id)
        await clock.advance(60)
        await run.ready()

        assert run.bot.health().red == ()
    assert [record.__dict__["wait_s"] for record in lost(caplog)[1:]] == [60.0, 60.0, 60.0]
    (red,) = [condition for condition in refused.red if condition.part == "room admission"]
    assert not refused.ok
    assert f"refused the connection with status {status}; the token expired 2.0 days ago" in red.sentence
    assert red.remedy.startswith("Renew BOT_USER_TOKEN")
    (room,) = [part for part in refused.parts if part.name == "room"]
    assert (room.red, room.cause) == (False, "room admission")
    assert room.remedy == red.remedy  # not that it connects again by itself


async def test_a_lost_state_is_fetched_anew(caplog: pytest.LogCaptureFixture, world: World) -> None:
    async with world.running() as run:
        world.fault("room.message", "duplicate")
        alice = await world.open_user("alice")
        await until(lambda: lost(caplog))
        await run.ready()

        assert run.bot.room is not None
        assert run.bot.room.state is not None
        assert sorted(run.bot.room.state.users()) == sorted([alice.uid, world.sandbox.bot.uid])
    assert ["state lost" in record.getMessage() for record in lost(caplog)] == [True]


async def test_while_a_state_is_fetched_anew_the_old_one_is_readable_and_the_bot_stays(world: World) -> None:
    alice = await world.open_user("alice")
    async with world.running(clock=ManualClock()) as run:  # never moved: what waits, waits for ever
        before = world.sandbox.journal.last_n
        world.fault("room.connect", "delay", ms=200)
        world.fault("room.action", "hang")
        pending = asyncio.create_task(run.bot.act("addDj", song=SONG), name="pending")
        await world.wait_for(lambda row: row.get("deed") == "hang")

        await world.sandbox.forget(world.sandbox.bot.uid)
        end = await asyncio.wait_for(pending, WITHIN)
        await world.wait_for(lambda row: row["kind"] == "http" and row.get("deed") == "delay", since=before)
        old = run.bot.room
        with pytest.raises(Unreachable):
            await run.bot.act("addDj", song=SONG)
        await world.joined_again()
        await run.ready()

        assert old is not None
        assert old.state is not None
        assert list(old.state.users()) == [alice.uid]
        assert run.bot.room is not old
        assert run.bot.health().ok
    assert (end.state, "connection" in end.reason) == ("uncertain", True)
    rows = world.sandbox.journal.events(since=before, service="room")
    ends = [(row["dir"], row["kind"]) for row in rows if row["kind"] in {"open", "close"}]
    assert ends[:2] == [("in", "close"), ("in", "open")]
    assert world.sandbox.bot.uid in [user["uuid"] for user in world.sandbox.state["allUsers"]]


async def test_a_kicked_bot_finishes_its_messages_and_ends_with_that_reason(world: World) -> None:
    world.fault("chat.send", "delay", ms=100)

    async with world.running() as run:
        await run.bot.say("on its way", key="m-1")
        await world.wait_for(is_a_send)
        await world.sandbox.kick(world.sandbox.bot.uid)
        with pytest.raises(RemovedFromRoom, match="moderator"):
            await run.end()

        row = await run.outbox.get("m-1")
    assert (row.state, row.tier) == ("delivered", 1)
    assert world.joins() == 1


# -- room actions


async def test_an_action_is_refused_while_the_bot_is_not_in_the_room(world: World) -> None:
    bot = await world.open_bot(run=False)

    with pytest.raises(Unreachable, match="the bot is not in the room"):
        await bot.act("addDj", song=SONG)


async def test_an_action_whose_answer_is_lost_is_found_in_the_state_and_not_repeated(world: World) -> None:
    bot = await world.open_bot(ack_timeout=0.5)
    world.fault("room.action", "drop")

    end = await bot.act("addDj", song=SONG)

    assert (end.state, end.tier, end.attempts) == ("delivered", 2, 1)
    assert len(world.sandbox.state["djs"]) == 1


@pytest.mark.parametrize("deed", ["drop", "hang", "abort", "close", "cut_after_store", "status"])
@pytest.mark.parametrize("action", ["addDj", "playOneTimeAnimation"])
async def test_whatever_becomes_of_an_action_its_remedy_names_no_command_that_knows_only_messages(
    action: str, deed: str, world: World
) -> None:
    bot = await world.open_bot(ack_timeout=0.1, retry_total=0.5)
    body = "you have too many pending requests" if deed == "status" else None
    world.fault("room.action", deed, times=0, body=body)

    end = await bot.act(action, **({"song": SONG} if action == "addDj" else {"animation": "jump"}))

    assert end.state in {"failed", "uncertain", "delivered"}
    assert (end.remedy != "") == (end.state != "delivered")
    assert not any(word in end.remedy for word in ("outbox", "HANGBOT_RATE", "hangbot ")), end


async def test_a_refused_action_says_why(world: World) -> None:
    bot = await world.open_bot()

    end = await bot.act("skipSong")

    assert (end.state, end.tier) == ("failed", 3)
    assert "the room refused skipSong" in end.reason


# -- the beginning and the end


async def test_the_boot_message_is_said_once(world: World) -> None:
    async with world.running(boot_message="good evening") as run:
        await world.log.expect("good evening")
        await world.sandbox.restart(services=["room"])
        await world.joined_again()
        await run.ready()
        await run.stop()

    assert world.log.texts(from_=world.sandbox.bot) == ["good evening"]


async def test_a_bot_that_was_told_to_stop_before_it_began_says_and_leaves_nothing(world: World) -> None:
    settings = world.settings.with_changes(boot_message="good evening")
    async with open_outbox(settings) as outbox, open_bot(settings, outbox) as bot:
        bot.stop()
        bot.stop()
        await asyncio.wait_for(bot.run(), WITHIN)

        assert await outbox.rows() == []


async def test_a_bot_whose_services_are_all_down_stops_when_told(world: World) -> None:
    down: Json = dict.fromkeys(("room_url", "chat_url", "gateway_url"), NOWHERE)

    async with world.running(ready=False, retry_base=30.0, retry_max=30.0, **down) as run:
        (stored,) = await run.bot.say("later", key="m-1")
        await run.stop()

        assert (await run.outbox.get("m-1")).state == "queued"
        assert stored.message.text == "later"


async def test_what_is_on_its_way_when_the_bot_stops_is_finished_and_what_waits_is_left(world: World) -> None:
    world.fault("chat.send", "delay", ms=100)

    async with world.running() as run:
        await run.bot.say("on its way", key="m-1")
        await run.bot.say("waiting", key="m-2")
        await world.wait_for(is_a_send)
        await run.stop()

        states = [row.state for row in await run.outbox.rows()]
    assert states == ["delivered", "queued"]


async def test_the_drain_has_a_limit_and_leaves_doubt(caplog: pytest.LogCaptureFixture, world: World) -> None:
    world.fault("chat.send", "hang")

    async with world.running(drain=0.05, ack_timeout=600.0) as run:
        await run.bot.say("never answered", key="m-1")
        await world.wait_for(is_a_send)
        await run.stop()

        row = await run.outbox.get("m-1")
    assert (row.state, row.in_doubt, row.attempts) == ("sending", True, 1)
    assert "left in the outbox" in caplog.text


async def test_a_disk_that_fails_ends_the_bot(world: World) -> None:
    async with world.running() as run:
        await run.outbox.close()

        with pytest.raises(OutboxUnusable, match="is closed"):
            await run.end()
