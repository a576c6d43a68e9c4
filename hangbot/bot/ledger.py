"""Which lines of which conversation are handled: positions in memory, over the inbox on disk."""

from collections.abc import Awaitable, Collection, Sequence
from typing import Protocol

from hangbot.bot.conversation import Position
from hangbot.bot.events import ChatMessage
from hangbot.bot.ports import ChatHistory, ChatReader, Conversation
from hangbot.delivery.inbox import ConversationMarks, Handled, Remembered, Witness
from hangbot.journal import SILENT, Journal

__all__ = ["Ledger", "MarksOnDisk"]


class MarksOnDisk(Protocol):
    """What of `hangbot.delivery.inbox.Inbox` is needed; each method raises `OutboxUnusable`."""

    async def load(self) -> Remembered:
        """Return all that is known."""

    async def begin(self, key: str, low: int, witnesses: Sequence[Witness] = ()) -> None:
        """Have a conversation begin behind a line, in the epoch of today."""

    async def begin_direct(self, base: int) -> None:
        """Have direct conversations that are not known begin behind a line."""

    def handled(
        self, key: str, heard: Collection[int], low: int, witnesses: Sequence[Witness] = ()
    ) -> Awaitable[None]:
        """Write what is handled."""

    def mark(self, key: str, line: int) -> Handled:
        """Return what writes that one line is handled."""

    async def new_epoch(self, kept: int) -> int:
        """Count that ids went backwards; of unknown conversations, what is behind this id is new."""


class Ledger:
    """The bot's position in each of its conversations, as a `hangbot.bot.app_runner.Marks`.

    Args:
        marks: Where they are on disk.
        chat: Whose group it is.
        history: Knows the bot's own rows.
        journal: Keeps from where it goes on.

    Attributes:
        epoch: How often ids went backwards so far, plus one.
        base: The id behind which direct conversations begin that are not known; ``None`` before there is one.
        group: The room's group.
    """

    def __init__(
        self, marks: MarksOnDisk, chat: ChatReader, history: ChatHistory, journal: Journal = SILENT
    ) -> None:
        self.epoch = 1
        self.base: int | None = None
        self.group = Conversation(chat.group_id)
        self._guid = chat.group_id.casefold()
        self._marks = marks
        self._history = history
        self._journal = journal
        self._positions: dict[str, Position] = {}
        self._unbegun: set[str] = set()
        """Conversations of which the disk knows nothing of today's epoch, and what memory knows is of it."""

    async def load(self) -> None:
        """Read what is on disk; raises `OutboxUnusable`."""
        known = await self._marks.load()
        self.epoch, self.base = known.epoch, known.base
        for key, marks in known.conversations.items():
            self._positions[key] = Position(marks, self._overtaken, old=marks.epoch != known.epoch)
        if known.base is not None:
            positions = {key: place for key, place in self._positions.items() if not place.old}
            handled = {key: [place.low, *place.heard] for key, place in positions.items()}
            self._journal.add("resumed", handled, known.base)

    def newest(self) -> dict[str, int]:
        """Return the newest id that was heard of each conversation, by its key."""
        return {key: position.newest for key, position in self._positions.items()}

    def knows(self, conversation: Conversation) -> bool:
        """Return whether a conversation was ever begun."""
        return conversation.key in self._positions

    def conversation_of(self, row: ChatMessage) -> Conversation | None:
        """Return where a row belongs, or ``None`` for another group's."""
        if not row.direct:
            theirs = (row.receiver or "").casefold()  # CometChat writes it in small letters
            return self.group if theirs == self._guid else None
        name = row.receiver if self._history.wrote(row) else row.sender
        return Conversation(name, direct=True) if name else None

    def position(self, conversation: Conversation) -> Position:
        """Return the position in a conversation; a direct one that is not known begins behind the base."""
        position = self._positions.get(conversation.key)
        if position is None:
            marks = ConversationMarks(self.base or 0)
            position = self._positions[conversation.key] = Position(marks, self._overtaken)
            self._unbegun.add(conversation.key)
        return position

    async def begin(self, conversation: Conversation, rows: Sequence[ChatMessage]) -> None:
        """Begin a conversation behind its newest rows."""
        self._positions[conversation.key] = Position.behind(rows, self._overtaken)
        await self._begin(conversation.key)

    async def begin_direct(self, base: int) -> None:
        """Begin direct conversations that are not known behind the newest id of all."""
        self.base = base
        await self._marks.begin_direct(base)

    async def handled(self, line: ChatMessage) -> None:
        """Write that a line is handled; returns when no crash of the process makes it run again."""
        conversation = self.conversation_of(line)
        if conversation is not None and self.position(conversation).handled(line):
            await self.write(conversation)

    async def mark(self, line: ChatMessage) -> Handled | None:
        """Return what writes that a line is handled, for a transaction with what is said in answer to it.

        ``None`` where nothing needs to be written. `handled` is to be called afterwards all the same.
        """
        conversation = self.conversation_of(line)
        if conversation is None or not self.position(conversation).is_open(line):
            return None
        if conversation.key in self._unbegun:
            await self._begin(conversation.key)
        return self._marks.mark(conversation.key, line.id)

    async def write(self, conversation: Conversation) -> None:
        """Write what of a conversation is not on disk yet."""
        key = conversation.key
        if key in self._unbegun:
            await self._begin(key)
        elif changes := self.position(conversation).changes():
            await self._marks.handled(key, *changes)

    async def new_epoch(self, kept: int) -> None:
        """Note that the server counts its ids anew: each conversation is old, and to be begun again.

        Both the disk and memory say so of each until then, whatever fails meanwhile.

        Args:
            kept: Up to which id the server kept what it had before.
        """
        for key in tuple(self._unbegun):
            await self._begin(key)  # as one of the epoch that ends
        for position in self._positions.values():
            position.old = True
        self.base = None if self.base is None else min(self.base, kept)
        self.epoch += 1
        await self._marks.new_epoch(kept)

    async def begin_again(self, conversation: Conversation, rows: Sequence[ChatMessage]) -> None:
        """Begin an old conversation in today's epoch; the rows are as for `Position.begin_again`."""
        self.position(conversation).begin_again(rows, self.base or 0)
        self._unbegun.add(conversation.key)
        await self._begin(conversation.key)

    def _overtaken(self, number: int, sent_at: float) -> bool:
        return any(position.overtaken(number, sent_at) for position in self._positions.values())

    async def _begin(self, key: str) -> None:
        position = self._positions[key]
        self._unbegun.discard(key)
        position.changes()
        low, heard = position.low, position.heard
        await self._marks.begin(key, low, position.witnesses)
        if heard:  # fewer witnesses may be kept than lines are handled
            await self._marks.handled(key, heard, low)
