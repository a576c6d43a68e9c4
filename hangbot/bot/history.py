"""Reads a conversation on from its position, whatever the server did in between.

Each page begins with the row that was verified last. Where it does not, one more request (what is held up to
there?) tells apart a row that was deleted, one that is no longer kept, and another row under an old id.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hangbot.bot.conversation import Gap, Position
from hangbot.bot.events import ChatMessage
from hangbot.bot.ports import ChatHistory, Conversation, Unreadable

__all__ = ["History", "Page"]

logger = logging.getLogger(__name__)

_LARGEST_PAGE: Final = 100
_PAGES_BACK: Final = 20
"""Two thousand rows: twice what OpenChat keeps of a group."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a look at the history found.

    Attributes:
        rows: From where the position is, oldest first.
        more: Whether there may be more at once.
        anew: Whether the server counts its ids anew; then the rows are the newest that it holds.
        emptied: Whether the server holds nothing any more of what it had; shown once.
        unreadable: What is no row.
    """

    rows: Sequence[ChatMessage] = ()
    more: bool = False
    anew: bool = False
    emptied: bool = False
    unreadable: Sequence[Unreadable] = ()


class History:
    """Reads one conversation. A call that fails changes nothing: it is to be made again.

    Args:
        chat: Where it is read.
        conversation: Which.
    """

    def __init__(self, chat: ChatHistory, conversation: Conversation) -> None:
        self._chat = chat
        self._conversation = conversation
        self._emptied = False

    async def newest(self) -> Sequence[ChatMessage]:
        """Return the newest rows; raises `ServiceError`."""
        # A page, although one row would do: the newest row may be unreadable.
        return _readable(await self._chat.page(self._conversation))

    async def look(self, position: Position, most: int = 50) -> Page:
        """Return the rows from a position on; raises `ServiceError`."""
        if self._emptied and not await self.newest():
            return Page()
        shown = await self._chat.page(self._conversation, after=position.after, most=most)
        rows = _readable(shown)
        if not position.leads(rows):
            held = _readable(await self._chat.page(self._conversation, before=position.verified + 1))
            if position.begins_anew(held, rows):
                back = await self.back(position)
                if not self._emptied:  # otherwise it was logged then
                    _log_anew(position, max((row.id for row in back), default=0))
                self._emptied = False
                return Page(back, anew=True)
            if not held and not rows:
                emptied = position.has_rows and not self._emptied
                if emptied:
                    self._emptied = True
                    _log_emptied(position)
                return Page(emptied=emptied)
            if not held and rows:
                _log_gap(position.gap_before(rows))
        self._emptied = False
        # A full page that leads no further is the same one again: not to be asked for at once.
        more = len(shown) >= most and bool(rows) and rows[-1].id > position.verified
        return Page(rows, more, unreadable=[row for row in shown if isinstance(row, Unreadable)])

    async def back(self, position: Position) -> Sequence[ChatMessage]:
        """Return the newest rows, back to one that the server kept when it began to count anew.

        They are what `Position.begin_again` needs. Raises `ServiceError`.
        """
        rows: list[ChatMessage] = []
        for _ in range(_PAGES_BACK):
            before = rows[0].id if rows else None
            shown = await self._chat.page(self._conversation, before=before, most=_LARGEST_PAGE)
            page = _readable(shown)
            rows = [*page, *rows]
            if len(shown) < _LARGEST_PAGE or not page or position.kept(rows):
                break
        return rows


def _readable(rows: Sequence[ChatMessage | Unreadable]) -> list[ChatMessage]:
    return [row for row in rows if isinstance(row, ChatMessage)]


def _log_emptied(position: Position) -> None:
    logger.warning(
        "[SOCKET] the chat server holds no message any more (the last was %s): "
        "it began anew or has cleared the room; hearing goes on",
        position.newest,
        extra={"action": "chat_emptied", "last": position.newest},
    )


def _log_anew(position: Position, newest: int) -> None:
    logger.warning(
        "[SOCKET] the chat server counts its messages from the beginning again (the newest is %s, "
        "the last one heard was %s): hearing goes on with what was said since",
        newest,
        position.newest,
        extra={"action": "chat_ids_restarted", "newest": newest, "last": position.newest},
    )


def _log_gap(gap: Gap | None) -> None:
    if gap is not None:
        logger.warning(
            "[SOCKET] up to %d message(s) of %.0f s were not heard: the chat server no longer holds %s to %s",
            gap.size,
            gap.seconds,
            gap.first,
            gap.last,
            extra={"action": "chat_gap", "missed": gap.size, "first": gap.first, "last": gap.last},
        )
