"""Faults of whatever runs the bot and the services: restarts."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.search.kind import Args, FaultKind

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play

__all__ = ["PROCESS_KINDS"]

_ENDS_WITHIN: Final = 10.0
_QUIET_WITHIN: Final = 10.0
_QUIET_FOR: Final = 2.0
_LOOKS_EVERY: Final = 0.1


async def _restarted(play: Play, args: Args, _lasts: float) -> int:
    if play.bot is None or play.has_ended:
        return 0
    await play.end(signal.SIGTERM, within=_ENDS_WITHIN)
    await asyncio.sleep(args.get("down", 0))
    await play.start()
    return 1


async def _killed(play: Play, _args: Args, _lasts: float) -> int:
    """Kill it in a quiet moment: what a kill in the middle of an answer does to it, no rule says."""
    loop = asyncio.get_running_loop()
    latest, since = loop.time() + _QUIET_WITHIN, loop.time()
    while loop.time() - since < _QUIET_FOR:
        if loop.time() > latest:
            return 0
        await asyncio.sleep(_LOOKS_EVERY)
        if play.sandbox.faults.armed or not play.is_all_answered():
            since = loop.time()
    if play.bot is None or play.has_ended:
        return 0
    await play.end(signal.SIGKILL)
    await play.start()
    return 1


async def _services(play: Play, _args: Args, lasts: float) -> int:
    play.mark("all services restart")
    await play.sandbox.restart(lasts * 1000)
    await asyncio.sleep(lasts)
    return 1


PROCESS_KINDS: Final = (
    FaultKind("bot.restarted", _restarted, lasts=(0.0, 0.0), args={"down": (0, 2)}, may_end=True),
    FaultKind("bot.killed", _killed, lasts=(0.0, 0.0), weight=0.5, may_end=True),
    FaultKind("services.restart", _services, lasts=(2.0, 4.0), may_end=True),
)
