"""What an author should not write and a user should not say: one line each, at the start where it can be."""

import inspect
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
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


async def several(ctx: Context, *bots: Bot) -> None: ...


async def half(ctx: Context, word: "int |") -> None: ...  # type: ignore[valid-type]  # noqa: F722  what is tested


async def gone(ctx: Context, word: "math.gone") -> None: ...  # type: ignore[name-defined]


async def listed(ctx: Context, word: []) -> None: ...  # type: ignore[valid-type]


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (command(nobody), "takes no context"),
        (command(untyped), "its argument word has no type"),
        (command(misplaced), "text cannot be left out, count before it can"),
        (command(unreadable), "count stands after `*` and is no text"),
        (command(several), "takes *bots: Bot, which nothing fills in"),
        (command(half), "the types of its arguments cannot be read (SyntaxError: "),
        (command(gone), "the types of its arguments cannot be read (AttributeError: "),
        (command(listed), "takes word: [], which nothing fills in"),
        (lambda app: app.command("x")(yields), "(yields) has a `yield`"),
        (command(lambda ctx: ctx), "is no `async def`"),
        (lambda app: app.command(handler), "`@app.command` stands before handler without what it needs"),
        (lambda app: app.command("x", aliases="yz"), "its aliases are one text, 'yz'"),
        (lambda app: app.command("two words")(handler), "is no name of a command"),
        (lambda app: app.command("/x")(handler), "test_bad_input.handler) has the prefix in its name"),
        (lambda app: twice(app, "x", "X"), "/X is the name of two commands"),
        (lambda app: app.on(handler), "`@app.on` stands before handler"),
        (lambda app: app.on("SongStarted"), "that is no type of an event"),
        (lambda app: app.on(User), "events.User'>)`: that is no type of an event"),
        (lambda app: app.provide(dict, {}), "`provide(dict, …)` is given no function"),
        (lambda app: app.on(SongStarted)(nobody), "does not take `(ctx, event)` or `(ctx)`"),
        (lambda app: app.every(minutes=1)(two), "the timer every 60 s (two) does not take"),
        (lambda app: app.every(seconds=math.nan), "seconds of `every` is nan, and that is no number"),
        (lambda app: app.every(minutes="5"), "minutes of `every` is '5', and that is no number of seconds"),
        (lambda app: app.every(hours=None), "hours of `every` is None"),
        (lambda app: app.command("x", cooldown="10"), "the cooldown of the command x is '10'"),
        (lambda app: app.command("x", cooldown=True), "the cooldown of the command x is True"),
        (lambda app: app.every(hours=1)(app.every(hours=2)(handler)), "two timers of the app app call"),
        (lambda app: app.at("25:00"), "that is no time of a day"),
        (lambda app: app.at("20:00", tz="Moon/Base"), "knows no time zone 'Moon/Base'"),
        (lambda app: app.middleware(handler), "does not take `(ctx, call_next)`"),
        (lambda app: app.error(handler), "does not take `(ctx, error)`"),
        (lambda app: app.start(two), "does not take `(ctx)`"),
        (cycle, "includes the app itself"),
        (lambda _: App("no name"), "is not 1 to 64 letters"),
        (lambda _: load_app("no_such_module:app"), "there is no module no_such_module"),
        (lambda _: load_app("mybot.py:app"), "mybot.py is a file or a place, expected MODULE:NAME"),
        (lambda _: load_app("./bots/mybot:app"), "./bots/mybot is a file or a place"),
        (lambda _: load_app("tests.app.durable_app:ap"), "has no ap; there is"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line_at_the_start(declare: Declare, says: str) -> None:
    app = App()

    with pytest.raises(HangbotError, match=re.escape(says)) as raised:
        (declare(app), app.check())

    assert "\n" not in f"{raised.value} {raised.value.remedy}"


@pytest.mark.parametrize(
    ("name", "written", "says", "remedy"),
    [
        (
            "wrong_bot",
            "\n@app.command('x')\ndef x(ctx): ...",
            "at wrong_bot.py line 4: the command x",
            "Write",
        ),
        ("broken_bot", "\n1/0", "imported at broken_bot.py line 4 (ZeroDivisionError", "Correct the module."),
        ("json", "", "json has no app; it is the one of that name that Python found first", "Rename your"),
    ],
)
def test_what_is_wrong_in_a_module_is_told_by_the_line_of_its_author(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, written: str, says: str, remedy: str
) -> None:
    (tmp_path / f"{name}.py").write_text(f"from hangbot import App\napp = App()\n{written}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(HangbotError, match=re.escape(says)) as raised:
        load_app(f"{name}:app")

    assert raised.value.remedy.startswith(remedy)


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


class Bell:
    async def ring(self, ctx: Context) -> None: ...


def ring(ctx: Context) -> None: ...


async def yields(ctx: Context) -> AsyncIterator[str]:
    yield ctx.user.name


ODD: dict[str, Callable[[Context], object]] = {
    "number": lambda ctx: ctx.say(5),  # type: ignore[arg-type]
    "address": lambda ctx: ctx.say("x", images="https://x/y.png"),
    "addresses": lambda ctx: ctx.say("x", images=[None]),  # type: ignore[list-item]
    "mention": lambda ctx: ctx.say("@alice", mentions=ctx.user),  # type: ignore[arg-type]
    "mentions": lambda ctx: ctx.say("@alice", mentions=["alice"]),  # type: ignore[list-item]
    "noone": lambda ctx: ctx.dm("", "a secret"),
    "none": lambda ctx: ctx.dm(None, "a secret"),  # type: ignore[arg-type]
    "emptyuser": lambda ctx: ctx.store.user(""),
    "key": lambda ctx: ctx.store.get(7),  # type: ignore[call-overload]
    "halfkey": lambda ctx: ctx.store.get("\ud800"),
    "part": lambda ctx: ctx.store.part("\ud800"),
    "expires": lambda ctx: ctx.store.set("x", 1, expires=math.nan),
    "text": lambda ctx: ctx.after("5", handler),  # type: ignore[arg-type]
    "date": lambda ctx: ctx.after(datetime(2030, 1, 1, tzinfo=UTC), handler),  # type: ignore[arg-type]
    "halfword": lambda ctx: ctx.after(1, two, "\ud800"),
    "halfid": lambda ctx: ctx.after(1, handler, id="\ud800"),
    "sync": lambda ctx: ctx.after(1, ring),  # type: ignore[arg-type]
    "method": lambda ctx: ctx.after(1, Bell().ring),
    "toomany": lambda ctx: ctx.after(1, handler, 1, 2),
}


@bad.command("call")
async def call(ctx: Context, what: str) -> None:
    given = ODD[what](ctx)
    if inspect.isawaitable(given):
        await given


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
    await bot.advance(seconds=timedelta(seconds=5))
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
        ("/call number", "told: the text is no text but int"),
        ("/call address", "told: the mentions or images cannot be written: images are a list"),
        ("/call addresses", "told: the mentions or images cannot be written: images are a list"),
        ("/call mention", "told: the mentions are no list of users"),
        ("/call mentions", "told: the mentions are no list of users"),
        ("/call noone", "told: '' is no user"),
        ("/call none", "told: None is no user"),
        ("/call emptyuser", "told: '' is no user"),
        ("/call key", "told: the key 7 of the store is no text of 1 to 200 characters"),
        ("/call halfkey", "told: the key '\\ud800' of the store is no text"),
        ("/call part", "told: the part '\\ud800' of the store is no text"),
        (
            "/call expires",
            "told: the time until the value of 'x' expires is nan, and that is no num",
        ),
        ("/call text", "told: the time until a timer is '5', and that is no number of seconds"),
        ("/call date", "told: the time until a timer is datetime.datetime("),
        ("/call halfword", "told: the arguments of a timer cannot be written"),
        ("/call halfid", "told: the id '\\ud800' of a timer holds half a character"),
        ("/call sync", "told: a timer cannot call tests.app.test_bad_input:ring, which is no `async def`"),
        ("/call method", "told: a timer cannot call tests.app.test_bad_input:Bell.ring of an object"),
        (
            "/call toomany",
            "told: a timer cannot call tests.app.test_bad_input:handler(ctx) with a context and 2",
        ),
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
