"""What an author should not write and a user should not say: one line each, at the start where it can be."""

import math
import re
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import cast

import pytest

from hangbot import App, Bot, Context, SongStarted, User
from hangbot.cli.app import load_app
from hangbot.errors import HangbotError
from pytest_hangfm import AppBot, OpenApp
from tests.app import public_api

Declare = Callable[[App], object]


async def handler(ctx: Context) -> None:
    """Take a context, as every handler does."""


async def two(ctx: Context, one: int) -> None: ...


async def nobody() -> None: ...


def twice(app: App, *names: str) -> None:
    for name in names:
        app.command(name)(handler)


def cycle(app: App) -> None:
    other = App("other")
    app.include(other)
    other.include(app)


def command(function: Callable[..., Awaitable[object]]) -> Declare:
    return lambda app: app.command("x")(function)


async def untyped(ctx: Context, word) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001  what is tested


async def misplaced(ctx: Context, count: int = 1, *, text: str) -> None: ...


async def unreadable(ctx: Context, *, count: int) -> None: ...


async def unknown(ctx: Context, words: list[str]) -> None: ...


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (command(nobody), "takes no context"),
        (command(untyped), "its argument word has no type"),
        (command(misplaced), "text cannot be left out, count before it can"),
        (command(unreadable), "count stands after `*` and is no text"),
        (command(lambda ctx: ctx), "is no `async def`"),
        (lambda app: app.command(handler), "`@app.command` stands before handler without what it needs"),
        (lambda app: app.command("x", aliases="yz"), "its aliases are one text, 'yz'"),
        (lambda app: app.command("two words")(handler), "is no name of a command"),
        (lambda app: app.command("/x")(handler), "test_bad_input.handler) has the prefix in its name"),
        (lambda app: twice(app, "x", "X"), "/X is the name of two commands"),
        (lambda app: app.on(handler), "`@app.on` stands before handler"),
        (lambda app: app.on("SongStarted"), "that is no type of an event"),
        (lambda app: app.on(SongStarted)(nobody), "does not take `(ctx, event)` or `(ctx)`"),
        (lambda app: app.every(minutes=1)(two), "the timer every 60 s (two) does not take"),
        (lambda app: app.every(seconds=math.nan), "a timer repeats after a second to a year"),
        (lambda app: app.every(hours=1)(app.every(hours=2)(handler)), "two timers of the app app call"),
        (lambda app: app.at("25:00"), "that is no time of a day"),
        (lambda app: app.at("20:00", tz="Moon/Base"), "knows no time zone 'Moon/Base'"),
        (lambda app: app.middleware(handler), "does not take `(ctx, call_next)`"),
        (lambda app: app.error(handler), "does not take `(ctx, error)`"),
        (lambda app: app.start(two), "does not take `(ctx)`"),
        (cycle, "includes the app itself"),
        (lambda _: App("no name"), "is not 1 to 64 letters"),
        (lambda _: load_app("no_such_module:app"), "there is no module no_such_module"),
        (lambda _: load_app("tests.app.durable_app:ap"), "has no ap; there is"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line_at_the_start(declare: Declare, says: str) -> None:
    app = App()

    with pytest.raises(HangbotError, match=re.escape(says)) as raised:
        (declare(app), app.check())

    assert "\n" not in f"{raised.value} {raised.value.remedy}"


def test_whatever_an_author_may_use_is_no_bad_input() -> None:
    names = {command.name for command in public_api.app.check()}

    assert names == {"all", "numbers", "score"}


def test_an_argument_that_nothing_provides_is_told_before_the_bot_runs() -> None:
    app = App()
    app.command("x")(unknown)

    with pytest.raises(HangbotError, match="takes words: list, which no line can hold and nothing provides"):
        app.prepare(cast("Bot", SimpleNamespace(offers={})))  # it is refused before more of the bot is needed


bad = App("bad")


@bad.command("nested")
async def nested(ctx: Context) -> None:
    async def inner(ctx: Context) -> None: ...

    ctx.after(1, inner)


@bad.command("year9999")
async def year9999(ctx: Context) -> None:
    ctx.after(8_000 * 365 * 86_400, handler)


@bad.command("endless")
async def endless(ctx: Context) -> None:
    ctx.after(math.inf, handler)


@bad.command("huge")
async def huge(ctx: Context) -> None:
    await ctx.store.set("huge", "x" * 300_000)


@bad.command("odd")
async def odd(ctx: Context) -> None:
    await ctx.store.set("odd", {1, 2})


@bad.command("othertype")
async def othertype(ctx: Context) -> None:
    await ctx.store.set("number", "seven")
    await ctx.store.get("number", type=int)


@bad.command("endlesstext")
async def endlesstext(ctx: Context) -> None:
    await ctx.say("x" * 100_000)


@bad.command("take")
async def take(ctx: Context, who: User, *words: str) -> None:
    await ctx.reply(f"{who.name} {len(words)}")


@bad.error
async def told(ctx: Context, error: Exception) -> None:
    await ctx.reply(f"told: {error}")


async def opened(hangfm_app: OpenApp) -> AppBot:
    bot = await hangfm_app(bad)
    for name in ("42", "Mary Ann", "twin", "twin", "🦊"):
        await bot.sandbox.users.add(name).join()
    await bot.advance(seconds=5)
    return bot


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/nested", "told: a timer needs a function that is found again after a restart"),
        ("/year9999", "told: a timer cannot be set 252288000000 s ahead"),
        ("/endless", "told: a timer cannot be set inf s ahead"),
        ("/huge", "told: the value of 'huge' takes 300002 bytes, more than 262144"),
        ("/odd", "told: the value of 'odd' cannot be stored"),
        ("/othertype", "told: what is stored under 'number' is no int"),
        ("/endlesstext", "told: "),
        ('/take "42', "the quote before “42” does not end. Usage: /take <who> [words…]"),
        ("/take 42", "42 0"),
        ("/take Mary Ann now", "Mary Ann 1"),
        ('/take "Mary Ann" "and now"', "Mary Ann 1"),
        ("/take @mary ann", "Mary Ann 0"),
        ("/take twin", "2 people here are called twin: mention the one that you mean."),
        ("/take 🦊 🦊🦊", "🦊 1"),
        ("/take " + "long" * 200, "who is somebody in the room, not “" + "long" * 15 + "…”."),
    ],
)
async def test_what_goes_wrong_later_is_one_line_and_the_bot_goes_on(
    hangfm_app: OpenApp, caplog: pytest.LogCaptureFixture, line: str, says: str
) -> None:
    bot = await opened(hangfm_app)

    await bot.user.say(line)

    await bot.expect(says)
    await bot.user.say("/uptime")
    await bot.expect("has been up for")
    assert len(bot.texts) == 2
    caplog.clear()  # of the handlers that fail on purpose


async def test_a_mention_says_which_one_of_two_is_meant(hangfm_app: OpenApp) -> None:
    bot = await opened(hangfm_app)
    third = bot.sandbox.users.add("twin")
    await third.join()

    await bot.user.say(f"/take <@uid:{third.uid}> please")

    await bot.expect("twin 1")
