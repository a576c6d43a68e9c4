"""Asking the bot that runs on an outbox: on this machine, or wherever the room's owner is."""

from hangbot.clock import SystemClock
from hangbot.config import Settings
from hangbot.factory import open_fleet
from hangbot.fleet.keys import room_key
from hangbot.fleet.streams import AnswerMissing
from hangbot.status import Silent, ask

__all__ = ["ask_bot", "where_it_is"]

_LARGEST = 2**20


async def ask_bot(settings: Settings, target: str, *, within: float, largest: int = _LARGEST) -> bytes | None:
    """Return what the bot answers to a target, or ``None`` where none runs.

    Raises:
        Silent: It does not answer within so many seconds.
        HangbotError: It cannot be reached.
    """
    if settings.cluster is None:
        return await ask(settings.outbox, target, within=within, clock=SystemClock(), largest=largest)
    async with open_fleet(settings, make=False) as cluster:
        try:
            return await cluster.ask(room_key(settings), target, within=within, largest=largest)
        except AnswerMissing as exc:
            raise Silent(
                f"the owner of the room {settings.room_uuid} does not answer within {within:g} s",
                remedy="`hangbot fleet status` shows which worker that is: look at what it logged last, and "
                "restart it where it hangs.",
            ) from exc


def where_it_is(settings: Settings) -> str:
    """Return where a bot's outbox is, in words."""
    if settings.cluster is None:
        return str(settings.outbox.absolute())
    return f"{settings.cluster}/{room_key(settings)}"
