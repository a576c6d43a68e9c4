"""Asking the bot that runs on an outbox: on this machine, or wherever the room's owner is."""

from hangbot.clock import SystemClock
from hangbot.config import Settings
from hangbot.factory import open_fleet
from hangbot.fleet.keys import room_key
from hangbot.status import ask

__all__ = ["ask_bot", "where_it_is"]

_LARGEST = 2**20


async def ask_bot(settings: Settings, target: str, *, within: float, largest: int = _LARGEST) -> bytes | None:
    """Return what the bot answers to a target, or ``None`` where none runs.

    Raises:
        HangbotError: It does not answer within so many seconds, or cannot be reached.
    """
    if settings.cluster is None:
        return await ask(settings.outbox, target, within=within, clock=SystemClock(), largest=largest)
    async with open_fleet(settings, make=False) as cluster:
        return await cluster.ask(room_key(settings), target, within=within, largest=largest)


def where_it_is(settings: Settings) -> str:
    """Return where a bot's outbox is, in words."""
    if settings.cluster is None:
        return str(settings.outbox.absolute())
    return f"{settings.cluster}/{room_key(settings)}"
