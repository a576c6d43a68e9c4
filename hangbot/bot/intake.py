"""Takes rows of the chat, however they come, and gives the app each line of others once."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from hangbot.bot.conversation import is_line
from hangbot.bot.events import ChatMessage
from hangbot.bot.ledger import Ledger
from hangbot.bot.ports import ChatHistory, Conversation, Unreadable
from hangbot.clock import Clock
from hangbot.figures import Figures

__all__ = ["Intake", "Lines"]

logger = logging.getLogger(__name__)

_MOST_HELD: Final = 1_000
_MOST_REPORTED: Final = 100
_VERIFY_EVERY: Final = 80
"""Rows after which the history is read, so that what is kept of them stays small; a page holds more."""


class Lines(Protocol):
    """Where lines go; never waits."""

    def offer(self, line: ChatMessage) -> bool:
        """Take a line; ``False`` where there is no room for it."""


class Intake:
    """Gives lines to the app in the order of their ids, as far as that is known.

    Args:
        ledger: What is known of each conversation.
        history: Knows the bot's own rows, and what time it is for the server.
        app: Where lines go.
        nickname: Returns what a user is called in the room.
        clock: Measures.
        catch_up: Seconds up to which a line of the history is worth an answer.
        figures: Say when a line was heard last.

    Attributes:
        behind: Conversations with a line for which there was no room: they are to be read on.
        to_read: Conversations to be looked at in the history: a row shows that the server may count its ids
            anew, or many were pushed since it was last read; with the ids of rows that were left to it.
        full: Set when the app had no room.
        doubts: Set when there is something to read.
        group_heard_at: When the group's last row of another user was pushed (monotonic seconds): the bot's
            own say little, since a send makes a member of a bot that was put out, and neither is announced.
    """

    def __init__(
        self,
        ledger: Ledger,
        history: ChatHistory,
        app: Lines,
        nickname: Callable[[str], str | None],
        clock: Clock,
        catch_up: float,
        *,
        figures: Figures,
    ) -> None:
        self._clock = clock
        self._figures = figures
        self.behind: set[Conversation] = set()
        self.to_read: dict[Conversation, set[int]] = {}
        self.full = asyncio.Event()
        self.doubts = asyncio.Event()
        self.group_heard_at = 0.0
        self._ledger = ledger
        self._history = history
        self._app = app
        self._nickname = nickname
        self._catch_up = catch_up
        self._refused: dict[Conversation, set[str | None]] = {}
        self._held: list[ChatMessage] | None = None
        self._overflowed = False
        self._passed = 0
        self._reported: set[Unreadable] = set()

    # -- what a connection brings

    def hold(self) -> None:
        """Keep what is pushed, until the history before it is read."""
        self._held, self._overflowed = [], False

    def release(self) -> bool:
        """Give what was kept, in order; ``False`` where it was too much: the history is to be read again."""
        held, self._held = self._held or [], None
        for row in sorted(held, key=lambda row: row.id):
            self.pushed(row)
        return not self._overflowed

    def drop(self) -> None:
        """Forget what was kept: the history before it was not read, and has it, too."""
        self._held = None

    def pushed(self, row: ChatMessage | Unreadable) -> None:
        """Take a row that was pushed. It never waits."""
        if isinstance(row, Unreadable):
            self.report(row)
            return
        if (conversation := self._ledger.conversation_of(row)) is None:
            return
        if not row.direct and not self._history.wrote(row):
            self.group_heard_at = self._clock.now()
        if self._held is not None:
            if len(self._held) < _MOST_HELD:
                self._held.append(row)
            else:
                self._overflowed = True
            return
        position = self._ledger.position(conversation)
        overtakes = bool(self.to_read.get(conversation))  # lines that are left to the history
        doubtful = overtakes or position.old or position.contradicts(row)
        if doubtful or position.unverified >= _VERIFY_EVERY:
            self._doubt(conversation, [row] if doubtful else [])
        if doubtful:
            return  # the history has it, too
        if not self._is_line(row):
            position.see(row, done=True)
        elif position.is_new(row) and not self._offer(conversation, row):
            position.leave(row)

    def _doubt(self, conversation: Conversation, rows: Sequence[ChatMessage]) -> None:
        left = self.to_read.setdefault(conversation, set())
        if len(left) < _MOST_HELD:
            left.update(row.id for row in rows)
        self.doubts.set()

    # -- what the history has

    def missing(self, conversation: Conversation, rows: Sequence[ChatMessage]) -> list[ChatMessage]:
        """Return the lines of a page that no connection brought."""
        position, left = self._ledger.position(conversation), self.to_read.get(conversation, ())
        return [row for row in rows if self._is_line(row) and position.is_new(row) and row.id not in left]

    def paged(self, conversation: Conversation, rows: Sequence[ChatMessage]) -> bool:
        """Take a page that leads on from the position; ``False`` where there was no room for all of it."""
        position = self._ledger.position(conversation)
        end = len(rows)
        for number, row in enumerate(rows):
            if not self._is_line(row) or not position.is_new(row):
                continue
            if self._is_too_old(row):
                position.pass_over(row)
                self._passed += 1
            elif not self._offer(conversation, row):
                end = min(end, number)
        position.read(rows[:end])
        return end == len(rows)

    def readmit(self, conversation: Conversation) -> None:
        """Try again to give lines of a conversation, before it is read on."""
        self.behind.discard(conversation)
        self._refused.pop(conversation, None)

    def log_passed(self) -> None:
        """Log how many lines were too old to be answered since the last time."""
        if self._passed:
            logger.warning(
                "[SOCKET] %d line(s) said more than %g s ago were passed over (HANGBOT_CATCH_UP)",
                self._passed,
                self._catch_up,
                extra={"action": "chat_passed_over", "lines": self._passed},
            )
            self._passed = 0

    def report(self, row: Unreadable) -> None:
        """Log a message that could not be read, once."""
        if row not in self._reported and len(self._reported) < _MOST_REPORTED:
            self._reported.add(row)
            logger.warning(
                "[SOCKET] a message in %s could not be read and is passed over: %s",
                row.where,
                row.why,
                extra={"action": "chat_unreadable"},
            )

    # -- one line

    def _is_line(self, row: ChatMessage) -> bool:
        return is_line(row) and not self._history.wrote(row)

    def _is_too_old(self, row: ChatMessage) -> bool:
        # Without a time of its own its age is not known, and one line too many is better than one too few.
        return 0 < row.sent_at < self._history.server_time() - self._catch_up

    def _offer(self, conversation: Conversation, line: ChatMessage) -> bool:
        """Give the app a line; after one that was refused, none of the same user before that."""
        self._figures.last_event.mark(self._clock.now(), "chat")
        refused = self._refused.get(conversation, ())
        if line.sender in refused or not self._app.offer(line):
            self._refused.setdefault(conversation, set()).add(line.sender)
            self.behind.add(conversation)
            self.full.set()
            return False
        self._ledger.position(conversation).give(line)
        self._log(line)
        return True

    def _log(self, line: ChatMessage) -> None:
        """Show a line of the room with who said it; of what is between two people only that it came."""
        sender, text = line.sender or "?", line.text or ""
        more = {"action": "heard", "message_id": line.id, "sender": sender}
        if line.direct:
            logger.info("[HEARD] %s, to the bot alone: %d characters", sender, len(text), extra=more)
            return
        shown = text if line.text is not None else f"({line.category}, without text)"
        logger.info("[HEARD] %s: %s", self._nickname(sender) or sender, shown, extra=more)
