"""What the service and its moderators do: restarts, outages, resets, kicks, bans, tokens that end."""

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any, Final

from pytest_hangfm.simulation.faults.kind import Args, Effect, FaultKind, nothing

if TYPE_CHECKING:
    from pytest_hangfm.simulation.world import World

__all__ = ["KINDS"]

_SERVICES: Final = (("room",), ("chat", "gateway"), ("room", "chat", "gateway"), ("gateway",))
_EVERY: Final = {"services": list(_SERVICES[2])}
"""Hours in which a part still works are the dearest to play, and like minutes of it."""
_ALL: Final = frozenset({"room", "chat", "push", "send"})
_CHAT: Final = frozenset({"chat", "push", "send"})
_ROOM: Final = frozenset({"room"})

_JOINS_WITHIN: Final = 30
"""Seconds within which a bot joins the room again, more often than not."""


def _which(random: Random) -> Args:
    return {"services": list(random.choice(_SERVICES))}


async def _down(world: "World", args: Args, lasts: float) -> Effect:
    """Have services away; one that is away for longer already stays so."""
    now = asyncio.get_running_loop().time()
    together: dict[float, list[Any]] = {}
    for service in args["services"]:
        until = world.away[service] = max(world.away.get(service, 0.0), now + lasts)
        together.setdefault(until, []).append(service)
    for until, services in together.items():
        await world.sandbox.restart((until - now) * 1000, services)
    return Effect.done()


async def _begin_anew(world: "World", _args: Args, _lasts: float) -> Effect:
    await world.reset_chat()
    return Effect.done()


async def _reset_room(world: "World", _args: Args, _lasts: float) -> Effect:
    await world.sandbox.reset_room()
    await world.people.enter()
    return Effect.done()


async def _forget(world: "World", _args: Args, _lasts: float) -> Effect:
    """Put the bot out of the room's list, once it would know of that; not at all where that takes long."""
    for _ in range(_JOINS_WITHIN):
        if _hears_the_room(world):
            await world.sandbox.forget(world.sandbox.bot.uid)
            return Effect.done()
        await asyncio.sleep(1.0)
    return Effect(lambda: 0)


def _hears_the_room(world: "World") -> bool:
    """Return whether a frame of the room reaches the bot, and finds the state there.

    It may be lost, or wait for the next one, or come before an answer to the join that is older.
    """
    bot = world.keeper.bot
    faults = world.sandbox.faults.list()
    lost = any(row["on"] == "room.message" and row["do"] in {"drop", "reorder"} for row in faults)
    return not lost and bot is not None and bot.health().in_room


async def _kick(world: "World", _args: Args, _lasts: float) -> Effect:
    await world.sandbox.kick(world.sandbox.bot.uid)
    return Effect.done()


async def _ban(world: "World", _args: Args, _lasts: float) -> Effect:
    uid = world.sandbox.bot.uid
    await world.sandbox.ban(uid)

    async def end() -> None:
        await world.sandbox.unban(uid)

    return Effect(lambda: 1, end)


async def _kick_from_the_group(world: "World", _args: Args, _lasts: float) -> Effect:
    await world.sandbox.chat.kick(world.sandbox.bot.uid, world.sandbox.room_uuid)
    return Effect.done()


async def _revoke(world: "World", _args: Args, _lasts: float) -> Effect:
    await world.revoke_chat_token()
    return Effect.done()


async def _end_the_song_unsaid(world: "World", _args: Args, _lasts: float) -> Effect:
    return Effect.done() if await world.people.silence() else Effect(lambda: 0)


KINDS: Final = (
    FaultKind("restart", _down, _which, (0.0, 60.0), _ALL, weight=1.0),
    FaultKind("outage", _down, _which, (60.0, 86_400.0), _ALL, skew=5.0, when_long=_EVERY),
    FaultKind("chat begins anew", _begin_anew, nothing, (0.0, 0.0), _CHAT),
    FaultKind("room reset", _reset_room, nothing, (0.0, 0.0), _ROOM),
    FaultKind("room forgets the bot", _forget, nothing, (0.0, 0.0), _ROOM),
    FaultKind("kick", _kick, nothing, (0.0, 0.0), _ROOM, weight=0.8),
    FaultKind("ban", _ban, nothing, (30.0, 120.0), _ALL, weight=0.8),
    FaultKind("put out of the group", _kick_from_the_group, nothing, (0.0, 0.0), _CHAT),
    FaultKind("chat token revoked", _revoke, nothing, (0.0, 0.0), _CHAT),
    FaultKind("song ends unsaid", _end_the_song_unsaid, nothing, (0.0, 0.0), _ROOM, weight=1.2),
)
