"""Greets who comes, once a day: hangbot run --app greeter:app."""

from hangbot import App, Context, UserJoined

app = App("greeter")

DAY = 86_400.0
DEFAULT = "Welcome, {name}!"


@app.on(UserJoined)
async def joined(ctx: Context, event: UserJoined) -> None:
    """Greet somebody a moment after they came."""
    today = ctx.store.user(event.user.uuid)
    if event.catch_up or await today.get("greeted"):
        return
    await today.set("greeted", event.user.uuid, expires=DAY)
    ctx.after(2, greet, event.user.uuid)


async def greet(ctx: Context, uuid: str) -> None:
    """Greet who is still there."""
    name = await ctx.name_of(uuid)  # profiles may come late
    user = ctx.find_user(uuid)
    if user is not None:
        greeting = await ctx.store.get("greeting", DEFAULT)
        await ctx.say(greeting.replace("{name}", f"@{name}"), mentions=[user])


@app.command("greeting", role="moderator")
async def change_greeting(ctx: Context, *, text: str) -> None:
    """Set the greeting; {name} stands for who comes."""
    await ctx.store.set("greeting", text)
    await ctx.reply(f"From now on: {text}")
