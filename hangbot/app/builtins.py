"""What an app answers by itself: ``/uptime``, ``/help``, ``/adminhelp``, ``/delivery`` and ``/retry``.

A router like any other: an app leaves it out by ``App(builtins=False)``, and a command of its own that has
one of these names stands in its place.
"""

from collections.abc import Callable, Iterable
from typing import Final

from hangbot.app.commands import Command, Commands
from hangbot.app.context import Context
from hangbot.app.router import Router
from hangbot.bot.uptime import uptime

__all__ = ["builtins"]

builtins: Final = Router()
"""These commands."""


@builtins.command("uptime")
async def answer_uptime(ctx: Context) -> None:
    """Say how long the bot has been up."""
    bot = ctx.bot
    await ctx.reply(uptime(bot.options.name, bot.clock.wall() - bot.started_at))


@builtins.command("help")
async def answer_help(ctx: Context, commands: Commands, *, command: str = "") -> None:
    """Say which commands there are, or what one of them does."""
    await ctx.reply(_help(commands, command, lambda each: each.role is None))


@builtins.command("adminhelp", role="moderator")
async def answer_adminhelp(ctx: Context, commands: Commands) -> None:
    """Say which commands moderators have."""
    user = ctx.user
    await ctx.reply(_help(commands, "", lambda each: each.role is not None and user.has_role(each.role)))


@builtins.command("delivery", role="moderator")
async def answer_delivery(ctx: Context) -> None:
    """Say what became of the bot's messages."""
    stats = await ctx.bot.delivery()
    first = "" if stats.first_try_rate is None else f", {stats.first_try_rate:.0%} at the first try"
    waiting = "" if stats.oldest_queued_s is None else f", the oldest for {stats.oldest_queued_s:.0f} s"
    await ctx.reply(
        f"{stats.delivered} delivered{first}; {stats.failed} failed, {stats.uncertain} uncertain;"
        f" {stats.queued} waiting{waiting}."
    )


@builtins.command("retry", role="moderator")
async def answer_retry(ctx: Context) -> None:
    """Send again what failed, after asking whether it arrived."""
    number = await ctx.bot.retry()
    await ctx.reply(f"{number} queued again." if number else "Nothing failed.")


def _help(commands: Commands, wanted: str, shown: Callable[[Command], bool]) -> str:
    one = commands.named(wanted.removeprefix(commands.prefix)) if wanted else None
    if one is not None:
        return "\n".join(_lines(commands, [one]))
    return "\n".join(_lines(commands, filter(shown, commands))) or "There are no commands."


def _lines(commands: Commands, shown: Iterable[Command]) -> Iterable[str]:
    for command in shown:
        yield f"{commands.usage(command)}: {command.help}" if command.help else commands.usage(command)
