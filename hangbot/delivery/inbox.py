"""Which chat lines are handled, on disk beside the outbox: what makes a restart go on where the bot was.

The inbox is the bot's, as the file is. A group's marks stand under the group, so that rooms that share a
file do not meet; the marks of direct messages stand under the user, and the run that has the outbox hears
them, whichever room it is in.
"""

from collections.abc import Awaitable, Collection, Sequence

from hangbot.clock import Clock
from hangbot.delivery import inbox_sql
from hangbot.delivery.inbox_sql import ConversationMarks, Handled, Remembered, Witness
from hangbot.delivery.place import OutboxPlace

__all__ = ["ConversationMarks", "Handled", "Inbox", "Remembered", "Witness"]


class Inbox:
    """The marks of what is handled, in an outbox's file.

    Like the outbox's, every method raises `OutboxUnusable` when the disk or the file fails, and waits for a
    file that another process has locked. On a full disk the marks wait until there is room. Keys are
    ``group_GUID`` or ``user_UID``; ids are those of the chat's lines, up to 2**63 - 1.

    Args:
        place: The outbox's, which is open.
        clock: Says when a conversation was begun.
    """

    def __init__(self, place: OutboxPlace, clock: Clock) -> None:
        self._place = place
        self._clock = clock

    async def load(self) -> Remembered:
        """Return all that is known."""
        return await self._place.read(inbox_sql.load)

    async def begin(self, key: str, low: int, witnesses: Sequence[Witness] = ()) -> None:
        """Have a conversation begin behind a line; it belongs to the epoch of today from here on.

        What was known of it before is forgotten.

        Args:
            key: The conversation.
            low: Each line up to this id counts as handled.
            witnesses: Its newest lines; more than are kept are no harm.
        """
        await self._place.write_patiently(inbox_sql.begin, key, low, witnesses, self._clock.wall())

    async def begin_direct(self, base: int) -> None:
        """Have all direct conversations that are not known begin behind the line with this id."""
        await self._place.write_patiently(inbox_sql.begin_direct, base)

    def handled(
        self, key: str, heard: Collection[int], low: int, witnesses: Sequence[Witness] = ()
    ) -> Awaitable[None]:
        """Write that lines are handled. It is submitted at once, in the order of the calls.

        Args:
            key: The conversation; one that is not known begins at ``low``.
            heard: The ids of lines that are handled since the last call; up to ``low`` none need be named.
            low: Each line up to this id is handled. It never goes back: a lower one changes nothing.
            witnesses: Lines to be kept as witnesses; one that is there already is replaced.

        Returns:
            What is done when that is written. A killed process loses nothing of it, a power cut may lose the
            last of it: these lines are heard again, and what is said in answer has the same ids.
        """
        item = Handled(key, tuple(heard), low, witnesses, self._clock.wall())
        return self._place.writer.submit(
            inbox_sql.handled, writes=True, patient=True, shared=True, item=item, lasting=False
        )

    def mark(self, key: str, line: int) -> Handled:
        """Return what writes that one line is handled, for a transaction with what is said in answer.

        Args:
            key: The conversation, which was begun.
            line: The line's id.
        """
        return Handled(key, (line,), 0, (), self._clock.wall())

    async def new_epoch(self, kept: int) -> int:
        """Count that ids went backwards; return the new epoch.

        The conversations stay as they are and keep their earlier epoch until they are begun again: a crash
        in between is noticed by that. Direct ones that are not known begin at the beginning.

        Args:
            kept: Up to which id the server kept what it had; there they begin instead, if that is less than
                where they began before.
        """
        return await self._place.write_patiently(inbox_sql.new_epoch, kept)
