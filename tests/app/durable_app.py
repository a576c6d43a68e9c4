"""An app of the tests, as an author writes one: commands, a counter, a timer."""

import asyncio

import httpx

from hangbot import App, ChatMessage, Context, Settings, SongStarted, User

app = App("durable")


@app.command("count", aliases=["c"])
async def count(ctx: Context, by: int = 1) -> None:
    """Count on."""
    number = await ctx.store.get("count", 0) + by
    await ctx.store.set("count", number)
    await asyncio.sleep(0)
    await ctx.reply(f"{number}")


@app.command("fail")
async def fail(ctx: Context) -> None:
    """Say and store something, and fail."""
    await ctx.store.set("count", 1_000)
    await ctx.say("never said")
    ctx.after(0, late, "never")
    raise RuntimeError("on purpose")


@app.command("later")
async def later(ctx: Context, seconds: float, *, text: str) -> None:
    """Say something later."""
    ctx.after(seconds, late, text)


async def late(ctx: Context, text: str) -> None:
    await ctx.say(f"late: {text}")


@app.command("skip", role="moderator", cooldown=10)
async def skip(ctx: Context) -> None:
    """Skip the song."""
    await ctx.reply("skipped")


@app.command("hug")
async def hug(ctx: Context, who: User) -> None:
    """Hug somebody."""
    await ctx.say(f"hugs @{who.name}", mentions=[who])


@app.command("called")
async def called(ctx: Context) -> None:
    """Say what a user is called."""
    await ctx.reply(f"called {await ctx.name_of(ctx.user.uuid)}")


@app.command("ban", role="moderator")
async def ban(ctx: Context, who: User) -> None:
    """Ban a user."""
    await ctx.react("👍")
    await ctx.ban(who)
    await ctx.reply(f"banned: {await ctx.store.part('bans').keys()}")


@app.command("room")
async def room(ctx: Context, settings: Settings, http: httpx.AsyncClient) -> None:
    """Say where the bot is, and whether it may ask others."""
    await ctx.reply(f"{settings.room_uuid == ctx.bot.chat.group_id}, {http.is_closed}")


@app.command("early")
async def early(ctx: Context) -> None:
    """Await a settlement too early, and then in time."""
    said = await ctx.say("first")
    try:
        await said.settled()
    except Exception as exc:  # noqa: BLE001  said to the test
        await ctx.say(str(exc)[:40])
    await ctx.commit()
    await ctx.say(f"tier {(await said.settled()).tier}")


@app.on(ChatMessage)
async def heard(ctx: Context, message: ChatMessage) -> None:
    if message.text == "hello":
        await ctx.reply(f"hello {ctx.user.name}")


@app.on(SongStarted)
async def started(ctx: Context, event: SongStarted) -> None:
    await ctx.say(f"now: {event.song.title}")


@app.error
async def told(ctx: Context, error: Exception) -> None:
    await ctx.say(f"told: {error}")
