"""What the page may change: messages that did not arrive are queued again, or given up."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from hangbot.bot.bot import Bot
from hangbot.clock import Clock
from hangbot.delivery.outbox import Outbox
from hangbot.errors import UsageError

__all__ = ["Changes", "ids_of"]

MOST_IDS: Final = 50
_HALF: Final = re.compile("[\ud800-\udfff]")
"""Half a character, which SQLite cannot take."""
_ENDED: Final = frozenset({"failed", "uncertain", "expired", "dropped"})


def ids_of(body: bytes) -> Sequence[str]:
    """Return the ids that a body names: ``{"ids": ["…"]}``; raises `UsageError`."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    ids: Any = found.get("ids") if isinstance(found, dict) else None
    if (
        not isinstance(ids, list)
        or not 1 <= len(ids) <= MOST_IDS
        or not all(isinstance(key, str) and not _HALF.search(key) for key in ids)
    ):
        raise UsageError(
            f'the body names no messages: {{"ids": ["..."]}} with 1 to {MOST_IDS} of them',
            remedy="`hangbot outbox list` shows ids.",
        )
    return list(dict.fromkeys(ids))


class Changes:
    """Does what `hangbot outbox retry` and `hangbot outbox drop` do, in the bot itself.

    Args:
        bot: Looks for what was changed.
        outbox: Its outbox.
        clock: Dates what is changed.
        changed: Called when something was changed.
    """

    def __init__(self, bot: Bot, outbox: Outbox, clock: Clock, changed: Callable[[], None]) -> None:
        self._bot = bot
        self._outbox = outbox
        self._clock = clock
        self._changed = changed

    async def retry(self, ids: Sequence[str]) -> dict[str, str]:
        """Queue messages again, which are asked about first; return the state of each.

        Raises:
            UnknownMessage: One of them is not there; none is queued then.
            OutboxError: Nothing can be written.
        """
        rows = await self._outbox.requeue(ids, self._clock.wall())
        self._bot.look()
        self._changed()
        return {row.message.id: row.state for row in rows}

    async def drop(self, ids: Sequence[str]) -> dict[str, str]:
        """Give messages up that did not arrive; raises as `retry` does.

        Raises:
            UsageError: One of them has not ended, or arrived.
        """
        for key in ids:
            if (state := (await self._outbox.get(key)).state) not in _ENDED:
                raise UsageError(
                    f"{key} is {state}; nothing was dropped",
                    remedy=f"`hangbot outbox drop {key}` gives up what waits.",
                )
        rows = await self._outbox.drop(ids, self._clock.wall())
        self._bot.look()
        self._changed()
        return {row.message.id: row.state for row in rows}
