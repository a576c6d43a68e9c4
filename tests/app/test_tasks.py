"""What the tasks of a handler say and store beside each other, and after its end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from hangbot import App, Bot, Context, SongStarted, User
from hangbot.errors import StoreConflict, UsageError
from pytest_hangfm import AppBot, OpenApp

app = App("tasks")
left: Final[dict[str, object]] = {}
kept: Final[set[asyncio.Task[None]]] = set()


async def attempt(name: str, call: Callable[[], Awaitable[object]]) -> None:
    try:
        left[name] = await call()
    except UsageError as exc:
        left[name] = f"{exc}. {exc.remedy}"


@app.command("leave")
async def leave(ctx: Context) -> None:
    """Leave a task behind that uses the context later."""

    async def later() -> None:
        await asyncio.sleep(1)
        await attempt("say", lambda: ctx.say("never"))
        await attempt("set", lambda: ctx.store.set("never", 1))
        await ctx.bot.say("said by the bot")

    kept.add(asyncio.create_task(later()))
    await ctx.say("now")


@app.command("beside")
async def beside(ctx: Context) -> None:
    """Say and store something while something else is being written."""

    async def meanwhile() -> None:
        await asyncio.sleep(0)
        await ctx.say("second")
        await ctx.store.set("first", await ctx.store.get("first") + 1)
        await ctx.store.set("second", 2)

    await ctx.say("first")
    await ctx.store.set("first", await ctx.store.get("first", 0) + 1)
    await asyncio.gather(ctx.commit(), meanwhile(), ctx.commit())
    await ctx.say(f"{await ctx.store.get('first')} {await ctx.store.get('second')}")


@app.command("slow")
async def slow(ctx: Context) -> None:
    """Change a value that was read before a commit, and is another one since."""
    points = await ctx.store.get("points", 0)
    await ctx.say("slow")
    await ctx.commit()
    await asyncio.sleep(5)
    await ctx.store.set("points", points + 1)


@app.command("quick")
async def quick(ctx: Context) -> None:
    """Change it meanwhile."""
    await ctx.store.set("points", await ctx.store.get("points", 0) + 10)
    await ctx.say("quick")


@app.command("renew")
async def renew(ctx: Context) -> None:
    """Change a value again that the handler itself has changed, or that has expired since."""
    for name, expires in (("number", None), ("short", 1)):
        for _ in range(2):
            number = await ctx.store.get(name, 0)
            await ctx.store.set(name, number + 1, expires=expires)
            await ctx.commit()
            await ctx.store.set(name, number + 2)
            await ctx.commit()
            await asyncio.sleep(2)
    await ctx.say(f"{await ctx.store.get('number')} {await ctx.store.get('short')}")


@app.command("points")
async def points(ctx: Context, bot: Bot, by: int, *names: str) -> None:
    """Take what the app fills in before what the line gives."""
    await ctx.say(f"{bot is ctx.bot} {by} {names}")


@app.command("whose")
async def whose(ctx: Context, who: User) -> None:
    """Keep something of a user, named in both ways."""
    await ctx.store.user(who).set("points", 7)
    await ctx.say(f"{await ctx.store.user(who.uuid).get('points')}")


@app.command("many")
async def many(ctx: Context) -> None:
    """Have ever new handlers change one value."""
    for number in range(400):
        ctx.after(1 + number / 1000, count_up)
    await ctx.say("begun")


async def count_up(ctx: Context) -> None:
    await ctx.store.set("many", await ctx.store.get("many", 0) + 1)


@app.command("impatient")
async def impatient(ctx: Context) -> None:
    """Have commits given up, each a little later."""
    for steps in range(40):
        ctx.after(1 + steps, give_up, steps)
    await ctx.say("begun")


async def give_up(ctx: Context, steps: int) -> None:
    number = await ctx.store.get("many", 0) + 1
    await ctx.store.set("many", number)
    await ctx.say(f"number {number}")
    commit = asyncio.create_task(ctx.commit())
    for _ in range(steps):
        await asyncio.sleep(0)
    commit.cancel()
    await asyncio.wait([commit])


@app.command("how-many")
async def how_many(ctx: Context) -> None:
    """Say how often."""
    await ctx.say(f"{await ctx.store.get('many')}")


@app.command("none")
async def none(ctx: Context) -> None:
    """Store nothing in two ways."""
    first = await ctx.store.compare_and_set("none", None, None)
    second = await ctx.store.compare_and_set("none", None, 1)
    await ctx.say(f"{first} {second} {await ctx.store.compare_and_set('none', None, 2)}")


@app.on(SongStarted)
async def started(ctx: Context, *, loud: bool = True) -> None:
    """Take no event, but something else by name."""
    await ctx.say(f"a song {loud}")


@app.error
async def told(ctx: Context, error: Exception) -> None:
    await ctx.say(f"told: {type(error).__name__}")


async def said(bot: AppBot, *lines: str) -> list[str]:
    for line in lines:
        await bot.user.say(line)
    await bot.advance(seconds=60)
    return bot.texts


async def test_what_is_said_after_the_handler_has_ended_is_refused_and_not_lost(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)

    texts = await said(bot, "/leave")

    assert texts == ["now", "said by the bot"]
    assert str(left["say"]).startswith("this handler has ended: what it says, stores or schedules now")
    assert left["set"] == left["say"]


async def test_what_is_said_and_stored_during_a_commit_is_written_by_the_next_one(
    hangfm_app: OpenApp,
) -> None:
    bot = await hangfm_app(app)

    assert await said(bot, "/beside") == ["first", "second", "2 2"]


async def test_what_was_read_before_a_commit_and_changed_by_another_is_not_overwritten(
    hangfm_app: OpenApp, caplog: pytest.LogCaptureFixture
) -> None:
    bot = await hangfm_app(app)
    other = bot.sandbox.users.add("other")
    await other.join()
    await bot.user.say("/slow")
    await bot.expect("slow")

    await other.say("/quick")
    await bot.advance(seconds=30)

    assert bot.texts == ["slow", "quick", f"told: {StoreConflict.__name__}"]
    caplog.clear()


async def test_what_the_handler_changed_itself_is_no_conflict(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)

    assert await said(bot, "/renew") == ["4 4"]


async def test_what_the_app_fills_in_may_stand_anywhere(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)

    assert await said(bot, "/points 5", "/points 6 a b") == ["True 5 ()", "True 6 ('a', 'b')"]


async def test_a_user_is_a_place_to_keep_things_as_its_uuid_is(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)

    assert await said(bot, "/whose alice") == ["7"]


async def test_a_handler_that_takes_no_event_is_given_none(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)

    await bot.user.dj()

    await bot.expect("a song True")


async def test_handlers_that_change_one_value_are_all_counted_however_fast_they_come(
    hangfm_app: OpenApp,
) -> None:
    bot = await hangfm_app(app)

    assert await said(bot, "/many") == ["begun"]
    await bot.user.say("/how-many")
    await bot.expect("400")


async def test_a_handler_that_gave_up_a_commit_is_not_run_again_as_if_nothing_were_written(
    hangfm_app: OpenApp, caplog: pytest.LogCaptureFixture
) -> None:
    bot = await hangfm_app(app)

    texts = await said(bot, "/impatient", "/how-many")

    assert [text for text in texts if text.startswith("number")] == [f"number {n}" for n in range(1, 41)]
    await bot.user.say("/how-many")
    await bot.expect("40")
    caplog.clear()  # of what was written by the commit that was given up, and conflicts with itself


async def test_a_value_that_is_none_is_as_good_as_none(hangfm_app: OpenApp) -> None:
    bot = await hangfm_app(app)

    assert await said(bot, "/none") == ["True True False"]
