"""Twenty incidents, of as many families."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

from hangbot import AnyApp, App, Bot, ChatMessage, Context, Event, HangbotError, InlineWriter, UserJoined
from tests.delivery.builders import opened
from tests.incident.recorded import CHAT_PORT, ROOM_PORT, Happening

__all__ = ["INCIDENTS", "MORE", "QUICK", "SONG", "Incident", "echo"]

QUICK: Final = {
    "STAGE_RETRY_TOTAL_MS": "20000",
    "STAGE_RETRY_MAX_ATTEMPTS": "3",
    "SOCKET_TIMEOUT_MS": "2000",
}
SONG: Final[dict[str, Any]] = {
    "trackName": "Serenade",
    "artistName": "Zarathustrians",
    "duration": 200,
    "musicProviders": {"youtube": "yt-serenade"},
}
_NO_AUTH: Final = {"error": {"code": "ERR_NO_AUTH", "name": "E", "message": "no", "details": {}}}
_PAGE: Final = "<!DOCTYPE html><html><body>Blocked by the firewall of Exampletown</body></html>"


class Incident(NamedTuple):
    """An incident: what happens, to which bot.

    Attributes:
        happen: What happens.
        shows: What its replay has to show.
        app: The bot's app.
        env: Its settings.
        inner: Those that have no name outside.
    """

    happen: Callable[[Happening], Awaitable[None]]
    shows: str
    app: AnyApp | None = None
    env: dict[str, str] = {}  # noqa: RUF012  never changed
    inner: dict[str, int] = {}  # noqa: RUF012  likewise


async def echo(bot: Bot, message: ChatMessage) -> None:
    if message.text == "/boom":
        raise RuntimeError("the app fails")
    if message.text and message.text.startswith("/echo"):
        await message.reply(message.text)
    if message.text == "/vote":
        await bot.act("voteOnSong", songVotes={"like": True})


async def lost_answer(it: Happening) -> None:
    it.sandbox.faults.add("chat.send", "cut_after_store")
    await it.bot.say("this arrives, and its answer does not")
    await it.wait(10)


async def unavailable(it: Happening) -> None:
    it.sandbox.faults.add("chat.*", "status", status=503, times=6)
    await it.bot.say("while the chat is down")
    await it.wait(30)


async def rate_limited(it: Happening) -> None:
    it.sandbox.faults.add("chat.send", "status", status=429, headers={"Retry-After": "3"})
    await it.bot.say("too fast")
    await it.wait(10)


async def firewall(it: Happening) -> None:
    it.sandbox.faults.add(
        "chat.send", "status", status=403, headers={"Content-Type": "text/html"}, body=_PAGE, times=2
    )
    await it.bot.say("behind a firewall")
    await it.wait(20)


async def timed_out(it: Happening) -> None:
    it.sandbox.faults.add("chat.send", "hang")
    await it.bot.say("no answer in time")
    await it.wait(15)


async def token_expired(it: Happening) -> None:
    it.sandbox.faults.add("chat.send", "status", status=401, body=_NO_AUTH)
    await it.bot.say("with a token that is dead")
    await it.wait(5)


async def patch_misfit(it: Happening) -> None:
    it.sandbox.faults.add("room.message", "drop")
    carol = it.sandbox.users.add("Carolina")
    await carol.join()
    await it.bob.leave()
    await it.wait(30)
    await it.alice.say("/echo still here")
    await it.wait(5)


async def kicked(it: Happening) -> None:
    await it.bot.say("before the kick")
    await it.wait(3)
    await it.sandbox.kick(it.sandbox.bot.uid)
    await it.wait(10)


async def room_reset(it: Happening) -> None:
    await it.sandbox.reset_room()
    await it.wait(20)
    await it.bot.say("after the reset")
    await it.wait(5)


async def dropped(it: Happening) -> None:
    it.sandbox.faults.add("room.message", "abort")
    it.sandbox.faults.add("room.connect", "status", status=502, times=2)
    await it.alice.dj(SONG)
    await it.wait(40)


async def black_hole(it: Happening) -> None:
    await it.bot.say("before the hole")
    await it.wait(2)
    hole = it.loop.network.rules.black_hole(ROOM_PORT)
    await it.wait(100)
    hole.remove()
    await it.wait(60)


async def late_profile(it: Happening) -> None:
    it.sandbox.faults.add("room.message", "reorder", times=2)
    carol = it.sandbox.users.add("Carolina")
    await carol.join()
    await carol.say("/echo who am I")
    await it.wait(10)


async def unreadable_row(it: Happening) -> None:
    it.sandbox.faults.add("chat.ws", "garbage")
    await it.alice.say("garbled on its way")
    await it.alice.say("/echo whole")
    await it.wait(50)


async def id_gap(it: Happening) -> None:
    it.sandbox.faults.add("chat.ws", "drop")
    await it.alice.say("/echo lost on the socket")
    await it.wait(1)
    await it.alice.say("/echo the next one")
    await it.wait(60)


async def failed_message(it: Happening) -> None:
    refusal = {"error": {"code": "ERR_BLOCKED_BY_EXTENSION", "message": f"no {it.alice.nickname} here"}}
    it.sandbox.faults.add("chat.send", "status", status=400, body=refusal)
    await it.bot.say("not allowed", key="0123456789abcdef0123456789abcdef")
    await it.wait(5)


async def operated(it: Happening) -> None:
    """Two messages fail; from another process one is queued again, and one given up."""
    refusal = {"error": {"code": "ERR_BLOCKED_BY_EXTENSION", "message": "no"}}
    it.sandbox.faults.add("chat.send", "status", status=400, body=refusal, times=2)
    await it.bot.say("is to arrive after all", key="0123456789abcdef0123456789abcdef")
    await it.bot.say("is not wanted any more", key="fedcba9876543210fedcba9876543210")
    await it.wait(5)
    async with opened(it.outbox_file, make_writer=InlineWriter) as elsewhere:
        await elsewhere.requeue(["0123456789abcdef0123456789abcdef"], 1.0)
        await elsewhere.drop(["fedcba9876543210fedcba9876543210"], 1.0)
    await it.wait(30)


async def uncertain_message(it: Happening) -> None:
    it.sandbox.faults.add("chat.send", "cut_after_store", times=3)
    it.sandbox.faults.add("chat.lookup", "hang", times=0)
    it.sandbox.faults.add("chat.history", "hang", times=0)
    await it.bot.say("who knows")
    await it.wait(60)


async def handler_raises(it: Happening) -> None:
    await it.alice.say("/boom")
    await it.alice.dm(it.sandbox.bot.uid, "a secret between the two of us")
    await it.alice.say("/echo after it")
    await it.wait(5)


async def full_outbox(it: Happening) -> None:
    it.sandbox.faults.add("chat.send", "hang", times=0)
    for number in range(5):
        with suppress(HangbotError):
            await it.bot.say(f"number {number}")
    await it.wait(30)


async def slow_chat(it: Happening) -> None:
    it.sandbox.faults.add("chat.*", "delay", ms=1500, times=0)
    for number in range(3):
        await it.alice.say(f"/echo {number}")
        await it.wait(3)
    await it.wait(20)


async def two_troubles(it: Happening) -> None:
    it.sandbox.faults.add("room.message", "close")
    it.sandbox.faults.add("chat.send", "status", status=500, times=2)
    hole = it.loop.network.rules.refuse(CHAT_PORT)
    await it.alice.dj(SONG)
    await it.bot.say("in the middle of it")
    await it.wait(20)
    hole.remove()
    await it.wait(60)


class _Object:
    """An app that is an object, and fails on an event."""

    async def on_start(self, bot: Bot) -> None:
        await bot.say("hello from the start")

    async def on_event(self, _bot: Bot, event: Event) -> None:
        if isinstance(event, UserJoined):
            raise RuntimeError("an event")  # noqa: TRY004  what an app does

    async def on_message(self, bot: Bot, message: ChatMessage) -> None:
        await echo(bot, message)


def _commands() -> App:
    app = App("a_bot")

    @app.command("hi")
    async def hi(ctx: Context) -> None:
        await ctx.reply("hi there")

    @app.command("bad")
    async def bad(_ctx: Context) -> None:
        raise RuntimeError("bad")

    return app


async def called(it: Happening) -> None:
    for text in ("/uptime", "/hi", "/bad", "/help", "/boom", "hello"):
        await it.alice.say(text)
    carol = it.sandbox.users.add("Carolina")
    await carol.join()
    await it.wait(5)
    await it.bob.leave()
    await it.wait(30)


async def acted(it: Happening) -> None:
    await it.alice.dj(SONG)
    await it.wait(1)
    await it.alice.say("/vote")
    it.sandbox.faults.add("room.action", "drop")
    await it.wait(1)
    await it.alice.say("/vote")
    await it.wait(20)


async def talked(it: Happening) -> None:
    for number in range(30):
        await it.alice.say(f"/echo {number}")
        await it.bob.dm(it.sandbox.bot.uid, f"/echo {number}")
        if number % 9 == 0:
            it.sandbox.faults.add("chat.send", "cut_after_store")
        if number % 13 == 0:
            it.sandbox.faults.add("chat.ws", "abort")
        await it.wait(0.7)
    await it.wait(30)


async def all_silent(it: Happening) -> None:
    holes = [it.loop.network.rules.black_hole(port) for port in (CHAT_PORT, ROOM_PORT)]
    await it.bot.say("into the hole")
    await it.wait(120)
    for hole in holes:
        hole.remove()
    await it.wait(100)


INCIDENTS: Final = {
    "lost answer": Incident(lost_answer, "delivered, tier 2", env=QUICK),
    "503": Incident(unavailable, "status 503", env=QUICK),
    "429": Incident(rate_limited, "status 429", env=QUICK),
    "firewall page": Incident(firewall, "status 403", env=QUICK),
    "time-out": Incident(timed_out, "failed: no answer in time", env=QUICK),
    "token expired": Incident(token_expired, "status 401", env=QUICK),
    "patch misfit": Incident(patch_misfit, "joinRoom: answered", app=echo, env=QUICK),
    "kick": Incident(kicked, "ended: RemovedFromRoom", env=QUICK),
    "reset": Incident(room_reset, "ended by the service", env=QUICK),
    "drop": Incident(dropped, "refused: status 502", app=echo, env=QUICK),
    "black hole": Incident(black_hole, "health of room: red", env=QUICK),
    "late profile": Incident(late_profile, "app, message", app=echo, env=QUICK),
    "unreadable row": Incident(unreadable_row, "app, message", app=echo, env=QUICK),
    "id gap": Incident(id_gap, "app, message", app=echo, env=QUICK),
    "failed message": Incident(failed_message, "failed, tier 3", env=QUICK),
    "uncertain message": Incident(uncertain_message, "uncertain", env=QUICK),
    "handler raises": Incident(handler_raises, ": raised", app=echo, env=QUICK),
    "full outbox": Incident(full_outbox, "refused: OutboxFull", env=QUICK, inner={"queue_limit": 3}),
    "slow chat": Incident(slow_chat, "delivered", app=echo, env=QUICK),
    "two troubles": Incident(two_troubles, "delivered, tier 2", env=QUICK),
}
assert len(INCIDENTS) == 20

MORE: Final = {
    "an app that is an object": Incident(called, ": raised", app=_Object(), env=QUICK),
    "an operator": Incident(operated, ": dropped by hand", env=QUICK),
    "an app of commands": Incident(called, ": raised", app=_commands(), env=QUICK),
    "a chat token in the configuration": Incident(called, "delivered", env={**QUICK, "COMETCHAT_AUTH": ""}),
    "no app": Incident(called, "delivered", env={**QUICK, "BOOT_MESSAGE": "hello all of you"}),
    "room actions": Incident(acted, "action voteOnSong: delivered", app=echo, env=QUICK),
    "much talk": Incident(talked, "delivered, tier 2", app=echo, env=QUICK),
    "much talk, with a canary": Incident(
        talked, "delivered", app=echo, env={**QUICK, "HANGBOT_CANARY": "on"}
    ),
    "much talk, polled": Incident(talked, "delivered", app=echo, env={**QUICK, "HANGBOT_CHAT_FEED": "poll"}),
    "a hole that swallows all": Incident(all_silent, "health of chat: red", app=echo, env=QUICK),
}
"""Incidents besides those: other kinds of bots, and more at a time."""
