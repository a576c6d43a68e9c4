"""Keeps banned users out of the room: they are put out each time that they come."""

from typing import Final

from hangbot.app.context import Context
from hangbot.app.room_actions import bans
from hangbot.app.router import Router
from hangbot.bot.events import Joined, UserJoined
from hangbot.errors import ServiceError

__all__ = ["banning"]

banning: Final = Router()
"""These handlers, which every app has."""


@banning.on(UserJoined)
async def put_out(ctx: Context, event: UserJoined) -> None:
    """Put a user out again."""
    if await bans(ctx.store).get(event.user.uuid) is not None:
        await _kick(ctx, event.user.uuid)


@banning.on(Joined)
async def look_around(ctx: Context, event: Joined) -> None:
    """Put out who came while the bot was away."""
    here = {user.uuid for user in event.state.users}
    for uuid in await bans(ctx.store).keys():
        if uuid in here:
            await _kick(ctx, uuid)


async def _kick(ctx: Context, uuid: str) -> None:
    try:
        await ctx.kick(uuid)
    except ServiceError as exc:
        more = {"action": "ban_failed"}
        ctx.log.warning(
            "a banned user is in the room, and cannot be put out: %s. %s", exc, exc.remedy, extra=more
        )
