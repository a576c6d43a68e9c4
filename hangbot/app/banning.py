"""Keeps banned users out of the room: they are put out each time that they come, as soon as can be."""

from typing import Final

from hangbot.app.context import Context
from hangbot.app.room_actions import bans
from hangbot.app.router import Router
from hangbot.bot.events import Joined, UserJoined
from hangbot.errors import ServiceError

__all__ = ["banning"]

banning: Final = Router()
"""These handlers, which every app has."""

_FIRST_WAIT: Final = 15.0
_LONGEST_WAIT: Final = 1_800.0
"""Seconds until it is tried again to put a user out."""


@banning.on(UserJoined)
@banning.on(Joined)
async def look_around(ctx: Context) -> None:
    """Put out each banned user who is in the room, also one whose coming could not be handled before."""
    for uuid in await bans(ctx.store).keys():
        await put_out(ctx, uuid)


async def put_out(ctx: Context, uuid: str, wait: float = _FIRST_WAIT) -> None:
    """Put a user out who is here and still banned; where that is refused, again later."""
    here = any(user.uuid == uuid for user in ctx.room.users)
    if not here or await bans(ctx.store).get(uuid) is None:
        return
    try:
        await ctx.kick(uuid)
    except ServiceError as exc:
        ctx.after(wait, put_out, uuid, min(2 * wait, _LONGEST_WAIT), id=f"ban/{uuid}")
        ctx.log.warning(
            "a banned user is in the room, and cannot be put out: %s. %s Again in %g s",
            exc,
            exc.remedy,
            wait,
            extra={"action": "ban_failed"},
        )
