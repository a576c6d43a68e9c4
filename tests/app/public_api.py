"""An app that uses whatever an author may, by public names only: `make types` reads it strictly."""

import enum
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel

from hangbot import (
    App,
    Bot,
    ChatMessage,
    Context,
    DirectMessage,
    HangbotError,
    Joined,
    Router,
    SongStarted,
    User,
    UserJoined,
)


class Score(BaseModel):
    points: int = 0


class Size(enum.Enum):
    SMALL = 1


class Words:
    greeting = "hello"


def words(_: Bot) -> Words:
    return Words()


router = Router()
app = App("public", prefix="!", builtins=False).include(router)
app.provide(Words, words)


@router.command(
    "all", aliases=["a"], role="moderator", cooldown=timedelta(seconds=1.5), exclusive=True, help="All of it."
)
async def every_kind(
    ctx: Context,
    mine: Words,
    who: User,
    size: Size = Size.SMALL,
    way: Literal["up", "no"] = "up",
    *,
    text: str = "",
) -> None:
    said = await ctx.say(f"{mine.greeting} @{who.name}: {text} {size.name} {way}", mentions=[who], images=[])
    await ctx.commit()
    tier: int | None = (await said.settled()).tier
    await ctx.dm(who, f"tier {tier}")
    await ctx.react("👍")
    await ctx.kick(who)
    await ctx.ban(who, "too loud")
    await ctx.unban(who.uuid)


@router.command("numbers")
async def numbers(ctx: Context, count: int = 1, share: float | None = None, *more: int) -> None:
    total: float = count + (share or 0.0) + sum(more)
    await ctx.reply(f"{total}")


@app.command("score")
async def score(ctx: Context) -> None:
    mine = ctx.store.user(ctx.user.uuid)
    kept: Score = await mine.get("score", Score(), type=Score)
    perhaps: Score | None = await ctx.store.everywhere.get("best", type=Score)
    await mine.set("score", Score(points=kept.points + 1), expires=timedelta(days=1))
    changed: bool = await ctx.store.part("best").compare_and_set("score", perhaps, kept)
    keys: list[str] = await mine.keys()
    await mine.delete("score")
    ctx.log.info("%s %s", changed, keys)


@app.on(UserJoined)
async def joined(ctx: Context, event: UserJoined) -> None:
    name: str = await ctx.name_of(event.user)
    found: User | None = ctx.find_user(name)
    several: list[User] = ctx.find_users(name)
    timer: str = ctx.after(timedelta(seconds=5), later, name, len(several), id=found.uuid if found else None)
    ctx.cancel(timer)


async def later(ctx: Context, name: str, number: int) -> None:
    await ctx.reply(f"{name} {number}")


@app.on(SongStarted)
async def started(ctx: Context, event: SongStarted) -> None:
    likes: int = ctx.room.votes.likes
    if ctx.room.song == event.song and not likes:
        await ctx.vote(like=True)
        await ctx.animate("jump")
        await ctx.step_up({"songId": "s1"})
        await ctx.skip()
        await ctx.step_down()


@app.on(Joined)
@app.on(DirectMessage)
@app.every(seconds=timedelta(hours=1), missed="skip")
@app.start
@app.stop
async def whenever(ctx: Context) -> None:
    moderator: bool = ctx.user.is_moderator
    ctx.log.info("%s", moderator)


@app.on(ChatMessage)
async def heard(ctx: Context, message: ChatMessage) -> None:
    text: str = message.text or ""
    await ctx.say(text)


@app.at("20:00", tz="Europe/Berlin")
async def daily(ctx: Context) -> None:
    await ctx.say("Good evening!")


@app.middleware
async def around(ctx: Context, call_next: Callable[[], Awaitable[None]]) -> None:
    if ctx.event is not None:
        await call_next()


@app.error
async def failed(ctx: Context, error: Exception) -> None:
    if isinstance(error, HangbotError):
        await ctx.reply(f"{error}. {error.remedy}")
