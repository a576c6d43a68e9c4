"""Helps moderators: kicks, a list of bans, slow mode. hangbot run --app moderator:app."""

from hangbot import App, ChatMessage, Context, HangbotError, User

app = App("moderator")

WARNINGS = 3
"""Warnings after which somebody who does not slow down is put out."""


@app.command("kick", role="moderator")
async def kick(ctx: Context, who: User) -> None:
    """Put somebody out of the room."""
    await ctx.kick(who)
    await ctx.reply(f"{who.name} was put out.")


@app.command("ban", role="moderator")
async def ban(ctx: Context, who: User, *, reason: str = "no reason given") -> None:
    """Put somebody out, and each time that they come back."""
    await ctx.store.set("banned-name/" + who.name.casefold()[:150], who.uuid)
    await ctx.ban(who, reason)
    await ctx.reply(f"{who.name} is banned: {reason}.")


@app.command("unban", role="moderator")
async def unban(ctx: Context, *, name: str) -> None:
    """Let somebody come back."""
    uuid = await ctx.store.get("banned-name/" + name.removeprefix("@").casefold()[:150])
    if uuid is None:
        await ctx.reply(f"Nobody called {name} is banned.")
        return
    await ctx.unban(uuid)
    await ctx.reply(f"{name} may come back.")


@app.command("slow", role="moderator")
async def slow(ctx: Context, seconds: int = 0) -> None:
    """Have everybody wait so many seconds between two lines; 0 ends it."""
    await ctx.store.set("slow", max(0, seconds))
    await ctx.say(f"Slow mode: a line every {seconds} s." if seconds > 0 else "Slow mode is over.")


@app.on(ChatMessage)
async def heard(ctx: Context, message: ChatMessage) -> None:
    """Watch the pace while slow mode is on."""
    seconds = await ctx.store.get("slow", 0)
    if message.direct or not seconds or ctx.user.is_moderator:
        return
    pace = ctx.store.user(ctx.user.uuid)
    last = await pace.get("said_at", 0.0)
    await pace.set("said_at", message.sent_at, expires=3600)
    if message.sent_at - last >= seconds:
        return
    warned = await pace.get("warned", 0) + 1
    await pace.set("warned", warned, expires=3600)
    if warned < WARNINGS:
        await ctx.dm(ctx.user, f"Slow mode: please wait {seconds} s between two lines.")
        return
    await pace.set("warned", 0)
    await ctx.commit()
    await ctx.kick(ctx.user)


@app.error
async def failed(ctx: Context, error: Exception) -> None:
    """Say what the service refused."""
    if isinstance(error, HangbotError):
        await ctx.reply(f"That did not work: {error}")
