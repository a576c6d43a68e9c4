"""What a bot says: accepted with a stable id, and with what is written together with it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from hangbot.bot.answering import current
from hangbot.bot.ledger import Ledger
from hangbot.bot.ports import ChatReader
from hangbot.delivery.courier import Courier
from hangbot.delivery.message import Outgoing, split
from hangbot.delivery.record import OutboxRow, Settlement
from hangbot.delivery.stats import Stats
from hangbot.delivery.store import Change, TimerChange
from hangbot.delivery.writes import Writes
from hangbot.ids import Rng, new_id
from hangbot.journal import SILENT, Journal

__all__ = ["Speech"]


class Speech:
    """Says things in the name of a bot, which is one.

    Args:
        chat: Who it is in the chat.
        courier: Delivers what it says.
        ledger: What it has handled.
        rng: Makes its ids.
        journal: Keeps which message is the answer to which line.
    """

    def __init__(
        self, chat: ChatReader, courier: Courier, ledger: Ledger, rng: Rng, journal: Journal = SILENT
    ) -> None:
        self.chat = chat
        self.rng = rng
        self._courier = courier
        self._ledger = ledger
        self._journal = journal

    async def say(
        self, text: str, *, to: str | None = None, direct: bool = False, key: str | None = None
    ) -> list[OutboxRow]:
        """Accept a message; when this returns it is on disk and will be delivered or reported.

        Args:
            text: What to say; over 900 characters it is cut into up to ten parts.
            to: A group's GUID, or with ``direct`` a user's uid; the room by default.
            direct: Whether ``to`` is a user.
            key: The stable id; made here by default. In a handler of a message it is made from that message:
                a handler that runs again after a crash says nothing twice, and what it said first stands.

        Raises:
            UsageError: The message cannot be sent as it is.
            OutboxError: It could not be written; nothing was accepted.
        """
        receiver = self.chat.group_id if to is None else to
        if key:
            return await self._courier.accept(Outgoing(key, receiver, text, direct))
        with self._next_id(receiver, direct=direct) as made:
            message = Outgoing(made, receiver, text, direct)
            return await self._courier.accept(message, first_wins=current(self) is not None)

    def draft(
        self,
        text: str,
        *,
        to: str | None = None,
        direct: bool = False,
        mentions: Sequence[Mapping[str, object]] = (),
        images: Sequence[str] = (),
    ) -> Outgoing:
        """Return a message for `commit`, with the id that `say` would give it here; the rest is as there.

        Raises:
            UsageError: It cannot be sent as it is.
        """
        receiver = self.chat.group_id if to is None else to
        with self._next_id(receiver, direct=direct) as key:
            message = Outgoing(key, receiver, text, direct, mentions, images)
            split(message)
        return message

    async def commit(
        self,
        messages: Sequence[Outgoing],
        *,
        changes: Sequence[Change] = (),
        timers: Sequence[TimerChange] = (),
    ) -> list[list[OutboxRow]]:
        """Accept messages, change what is kept and set timers: on disk together when this returns, or not.

        In a handler of a message it is written with them that this one is handled.

        Returns:
            The parts of each message, in their order.

        Raises:
            StoreConflict: A value that is changed is not what it must be.
            UsageError: A message cannot be sent as it is.
            OutboxError: It could not be written; nothing of it was.
        """
        context = current(self)
        handled = await self._ledger.mark(context.line) if context else None
        writes = Writes(changes, timers, handled)
        return await self._courier.commit(messages, writes, first_wins=context is not None)

    @contextmanager
    def _next_id(self, receiver: str, *, direct: bool) -> Iterator[str]:
        """Give the id of what is said next; what is refused in the block leaves it to the next."""
        context = current(self)
        if context is None:
            yield new_id(self.rng)
        else:
            with context.next_id(self.chat.uid or "", receiver, direct=direct) as key:
                self._journal.add("answering", key, context.line.id, context.app)
                yield key

    async def settled(self, key: str) -> Settlement:
        """Wait until an accepted message has ended; raises `UnknownMessage`."""
        return await self._courier.settled(key)

    async def delivery(self) -> Stats:
        """Return the figures of all messages that the outbox still has."""
        return await self._courier.stats()

    async def retry(self) -> int:
        """Queue every failed and uncertain message again, which is asked about first; return how many."""
        return await self._courier.retry(("failed", "uncertain"))
