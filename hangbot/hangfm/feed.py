"""The chat as it is read by polling: what is new on each look, whatever the server did in between.

An id gives the order of messages and nothing else: ids are not dense, and a server that kept
nothing counts from the beginning again. So each look asks for the last message that was seen as well.
While that one leads the page, the rest of the page is new. Where it does not, one more request
(what is held up to there?) distinguishes a message that was deleted, one that is no longer kept, and
another message under an old id.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hangbot.bot.events import ChatMessage
from hangbot.hangfm.chat import ChatClient

__all__ = ["Cursor", "Gap", "Look", "PollingFeed"]

logger = logging.getLogger(__name__)

_PAGE: Final = 50
_REMEMBERED: Final = 500
"""Messages that are recognised; a page has fewer, so what is held up to the cursor is among them."""

_Fingerprint = tuple[str | None, float, object]
"""The parts of a message that no edit changes: sender, time and the sender's own id."""


def _fingerprint(message: ChatMessage) -> _Fingerprint:
    return message.sender, message.sent_at, message.raw.get("muid")


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages that the server no longer holds: the ids between, and over how long they were sent."""

    first: int
    last: int
    seconds: float

    @property
    def size(self) -> int:
        """How many messages it is at most: ids are not dense."""
        return self.last - self.first + 1


class Cursor:
    """Where in the chat a reader is, and what of a page is new to it. PURE."""

    def __init__(self) -> None:
        self.newest = 0
        """The id of the last message seen; 0 where there was none."""
        self._seen: dict[int, ChatMessage] = {}
        self._sent_at = 0.0
        self._old: frozenset[_Fingerprint] = frozenset()
        self._old_up_to = 0
        self._old_before = 0.0

    @property
    def after(self) -> int:
        """The id to ask from, exclusive: so that the last message seen leads the page."""
        return max(self.newest - 1, 0)

    def begin(self, rows: Sequence[ChatMessage]) -> None:
        """Take the messages so far as seen."""
        self._remember(rows)

    def leads(self, rows: Sequence[ChatMessage]) -> bool:
        """Whether rows begin or end with the last message seen."""
        return self.newest == 0 or any(row.id == self.newest and self._knows(row) for row in rows)

    def goes_on(self, held: Sequence[ChatMessage], rows: Sequence[ChatMessage]) -> bool:
        """Whether ids go on although the last message seen is gone.

        A server that deletes one says so with a new row. One whose newest id is below the cursor,
        or that has another row under an id that was seen, counts anew.

        Args:
            held: The newest rows up to the cursor.
            rows: Those beyond it.
        """
        known = [self._knows(row) for row in held if row.id in self._seen]
        return any(row.id > self.newest for row in rows) and any(known) and all(known)

    def news(self, rows: Sequence[ChatMessage]) -> list[ChatMessage]:
        """Return what of a page is new, and take it as seen."""
        rows = [row for row in rows if row.id > self.newest]
        news = [row for row in rows if not self._is_old(row)]
        self._remember(rows)
        return news

    def gap_before(self, rows: Sequence[ChatMessage]) -> Gap | None:
        """Return what is missing between the last message seen and a page before which nothing is held."""
        if rows[0].id - 1 <= self.newest:
            return None
        return Gap(self.newest + 1, rows[0].id - 1, max(rows[0].sent_at - self._sent_at, 0.0))

    def begin_again(self, rows: Sequence[ChatMessage]) -> None:
        """Go back to the beginning: ids start again.

        Of the messages there already, those are new that were sent since; later ones are new
        also where the server's clock went back.

        Args:
            rows: What the server holds, the newest among it.
        """
        self._old_up_to = max(row.id for row in rows)
        self._old_before = self._sent_at
        # Times are whole seconds: in the last one, what was seen is old, unless the server kept nothing.
        kept_some = any(row.sent_at < self._sent_at for row in rows)
        self._old = frozenset(map(_fingerprint, self._seen.values())) if kept_some else frozenset()
        self._seen.clear()
        self.newest, self._sent_at = 0, 0.0

    def _is_old(self, row: ChatMessage) -> bool:
        return row.id <= self._old_up_to and (
            row.sent_at < self._old_before or _fingerprint(row) in self._old
        )

    def _knows(self, row: ChatMessage) -> bool:
        seen = self._seen.get(row.id)
        if seen is None or _fingerprint(seen) != _fingerprint(row):
            return False
        return seen.text == row.text or row.edited or row.deleted

    def _remember(self, rows: Sequence[ChatMessage]) -> None:
        for row in rows:
            self._seen[row.id] = row
            self.newest = max(self.newest, row.id)
            self._sent_at = max(self._sent_at, row.sent_at)
        for old in list(self._seen)[:-_REMEMBERED]:
            del self._seen[old]


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found: new lines, oldest first, and whether there may be more at once."""

    lines: Sequence[ChatMessage] = ()
    more: bool = False


class PollingFeed:
    """Reads the room's group over a borrowed client.

    A look that fails changes nothing: it is to be made again.
    """

    def __init__(self, chat: ChatClient) -> None:
        self.cursor = Cursor()
        self._chat = chat
        self._emptied = False

    async def begin(self) -> int:
        """Take what was said so far as heard, and return the newest id; raises `ServiceError`."""
        # A page, although one row would do: the newest row may be unreadable.
        self.cursor.begin(await self._chat.history(most=_PAGE))
        return self.cursor.newest

    async def look(self) -> Look:
        """Return the lines that are new since the last look, in order; raises `ServiceError`.

        A message that was edited or deleted before it was seen is no line, nor is an action.
        """
        cursor = self.cursor
        if self._emptied and not await self._chat.history(most=_PAGE):
            return Look()
        page = await self._chat.history(after=cursor.after, most=_PAGE)
        if not cursor.leads(page):
            held = await self._chat.history(before=cursor.newest + 1, most=_PAGE)
            if held and not (cursor.leads(held) or cursor.goes_on(held, page)):
                self._begin_again([*held, *page])
                return Look(more=True)
            if not held and not page:
                self._log_emptied()
                return Look()
            if not held:
                _log_gap(cursor.gap_before(page))
        self._emptied = False
        before = cursor.newest
        lines = [row for row in cursor.news(page) if _is_line(row)]
        # A full page that leads no further is the same one again: not to be asked for at once.
        return Look(lines, more=len(page) >= _PAGE and cursor.newest > before)

    def _log_emptied(self) -> None:
        if not self._emptied:
            self._emptied = True
            logger.warning(
                "[SOCKET] the chat server holds no message any more (the last was %s): "
                "it began anew or has cleared the room; hearing goes on",
                self.cursor.newest,
                extra={"action": "chat_emptied", "last": self.cursor.newest},
            )

    def _begin_again(self, rows: Sequence[ChatMessage]) -> None:
        if not self._emptied:  # otherwise it was logged then
            newest = max(row.id for row in rows)
            logger.warning(
                "[SOCKET] the chat server counts its messages from the beginning again (the newest is %s, "
                "the last one heard was %s): hearing goes on with what was said since",
                newest,
                self.cursor.newest,
                extra={"action": "chat_ids_restarted", "newest": newest, "last": self.cursor.newest},
            )
        self._emptied = False
        self.cursor.begin_again(rows)


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


def _is_line(row: ChatMessage) -> bool:
    return row.category != "action" and not row.edited and not row.deleted
