"""Waits for what is known of the room: it comes with the first join, and names with the profiles after it."""

from collections.abc import Callable
from typing import Final

from hangbot.bot.bot import Bot
from hangbot.bot.ports import RoomFacts

__all__ = ["in_room", "until_known"]

_WITHIN: Final = 5.0
_LOOKS_EVERY: Final = 0.1


def in_room(facts: RoomFacts) -> bool:
    """Return whether the bot has joined since its start: before that no role and no name is known."""
    return facts.snapshot() is not None


async def until_known(bot: Bot, known: Callable[[RoomFacts], bool] = in_room) -> None:
    """Wait until something about the room is known, for five seconds at most.

    Args:
        bot: The bot, whose room it is.
        known: Tells whether it is known; by default all that comes with the join.
    """
    clock = bot.clock
    until = clock.now() + _WITHIN
    while not known(bot.facts) and clock.now() < until:
        await clock.sleep(_LOOKS_EVERY)
