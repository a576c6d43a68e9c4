"""How far one conversation is read and handled, whatever the server and the connection do. PURE.

An id gives the order of messages and nothing else: ids are not dense, and a server that kept nothing counts
from the beginning again. What a connection brings may be doubled, out of order or not all of it, so only
pages of the history, each asked for from the last row that is verified, say that nothing lies between.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple, Self

from hangbot.bot.events import ChatMessage
from hangbot.bot.witnesses import Witnesses, fingerprint, witness
from hangbot.delivery.inbox import ConversationMarks, Witness

__all__ = ["Changes", "Gap", "Overtaken", "Position", "is_line", "nothing_known"]

Overtaken = Callable[[int, float], bool]
"""Returns whether a row with this id or a larger one was sent earlier than this."""


def is_line(row: ChatMessage) -> bool:
    """Return whether a row is a line that a user said, and not an action, edited or deleted."""
    return row.category != "action" and not row.edited and not row.deleted


def nothing_known(_number: int, _sent_at: float) -> bool:
    """Return that nothing is known of other conversations; an `Overtaken`."""
    return False


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


class Changes(NamedTuple):
    """What is to be written of a conversation; as the arguments of `hangbot.delivery.inbox.Inbox.handled`."""

    heard: Sequence[int]
    low: int
    witnesses: Sequence[Witness]


class Position:
    """The position of a reader in one conversation.

    Every row up to `low` is handled. Those above it are handled, given to the app, or not known yet. `low`
    rises only over rows that are verified, so that a line which the connection lost is handled later, in
    another process if need be.

    Args:
        marks: What is known of it from disk.
        elsewhere: What is known of all conversations: one counter numbers them all.
        old: Whether these ids are of a count before the server's of today.

    Attributes:
        old: As above. Then only the history says what is new, and it is to be begun again with that.
        verified: The id up to which pages of the history were read without a gap.
        newest: The largest id that was verified, or needs nothing more than the app to handle it.
        unverified: About how many rows were seen since the last one was verified.
    """

    def __init__(
        self, marks: ConversationMarks, elsewhere: Overtaken = nothing_known, *, old: bool = False
    ) -> None:
        self.old = old
        self._elsewhere = elsewhere
        self._begin(marks)

    def _begin(self, marks: ConversationMarks) -> None:
        self._low = self.verified = self._written_low = self.newest = marks.low
        self.unverified = 0
        self._open: dict[int, ChatMessage] = {}
        """Lines that the app has and that are not handled, by id."""
        self._open_ids: list[int] = []
        """A heap of their ids, and of some that are no longer open: `low` is asked for with every line."""
        self._heard = {number for number in marks.heard if number > marks.low}
        self._heard |= {seen.id for seen in marks.witnesses if seen.done and seen.id > marks.low}
        self._floor = min([marks.low, *(seen.id - 1 for seen in marks.witnesses)])
        """A row with an id up to this one is handled, seen or not."""
        self._seen = Witnesses(marks.witnesses)
        self._unwritten_heard: set[int] = set()
        self._unwritten: set[int] = set()
        # Pages begin with a row that is known, and low may be an id of none: one less than a line that waits.
        self.verified = max((seen.id for seen in self._seen if seen.id <= marks.low), default=marks.low)
        # What was handled behind low is not the newest that is known: rows before it wait to be read.

    @classmethod
    def behind(cls, rows: Sequence[ChatMessage], elsewhere: Overtaken = nothing_known) -> Self:
        """Return a position behind the newest rows: all so far counts as handled."""
        low = max((row.id for row in rows), default=0)
        return cls(ConversationMarks(low, witnesses=[witness(row, done=True) for row in rows]), elsewhere)

    # -- what is handled

    @property
    def low(self) -> int:
        """The id up to which every row is handled; it never goes back."""
        ids = self._open_ids
        while ids and ids[0] not in self._open:
            heappop(ids)
        first_open = ids[0] if ids else self.verified + 1
        if (low := min(self.verified, first_open - 1)) > self._low:
            self._low = low
            self._heard = {number for number in self._heard if number > low}
        return self._low

    def is_new(self, row: ChatMessage) -> bool:
        """Return whether a line was never given to the app nor handled before."""
        if row.id in self._open or row.id in self._heard:
            return False
        # A server of several nodes may show a row after one with a larger id was verified.
        return row.id > self._low or (row.id > self._floor and row.id not in self._seen)

    def give(self, line: ChatMessage) -> None:
        """Note that the app has a line."""
        self.see(line, done=False)
        self.newest = max(self.newest, line.id)
        if line.id not in self._open:
            heappush(self._open_ids, line.id)
        self._open[line.id] = line

    def is_open(self, line: ChatMessage) -> bool:
        """Return whether a line is being handled, and is of today's ids."""
        given = self._open.get(line.id)
        return given is line or (given is not None and fingerprint(given) == fingerprint(line))

    def handled(self, line: ChatMessage) -> bool:
        """Note that a line is handled; ``False`` for one of before ids went backwards."""
        if not self.is_open(line):
            return False
        self.pass_over(line)
        return True

    def pass_over(self, line: ChatMessage) -> None:
        """Note that a line counts as handled."""
        self._open.pop(line.id, None)
        self.see(line, done=True)
        self._heard.add(line.id)
        self._unwritten_heard.add(line.id)

    def leave(self, line: ChatMessage) -> None:
        """Note that there was no room for a line: it is to be read again."""
        self.verified = min(self.verified, line.id - 1)

    def changes(self) -> Changes | None:
        """Return what is not written yet, and take it as written; ``None`` where nothing is."""
        low = self.low
        if low == self._written_low and not self._unwritten_heard and not self._unwritten:
            return None
        heard = sorted(number for number in self._unwritten_heard if number > low)
        witnesses = [seen for number in sorted(self._unwritten) if (seen := self._seen.get(number))]
        self._written_low = low
        self._unwritten_heard.clear()
        self._unwritten.clear()
        return Changes(heard, low, witnesses)

    @property
    def heard(self) -> Sequence[int]:
        """The ids above `low` of lines that are handled."""
        return sorted(number for number in self._heard if number > self.low)

    @property
    def witnesses(self) -> Sequence[Witness]:
        """The rows that are recognised, by id."""
        return list(self._seen)

    # -- what pages say

    @property
    def after(self) -> int:
        """The id to ask from, exclusive: so that the last verified row leads the page."""
        return max(self.verified - 1, 0)

    def leads(self, rows: Sequence[ChatMessage]) -> bool:
        """Return whether a page goes on from here: with the last verified row, if there is one.

        Rows that were pushed say nothing about those before them: they may be of another count already.
        """
        if self._differs(rows):
            return False
        if not self._seen:
            return self.verified == 0 or bool(rows)
        return (self.verified == 0 and bool(rows)) or self.has_last(rows)

    def has_last(self, rows: Sequence[ChatMessage]) -> bool:
        """Return whether the last verified row is in a page, and nothing in it is another row than it was."""
        return any(row.id == self.verified for row in rows) and self._seen.agree(rows)

    def begins_anew(self, held: Sequence[ChatMessage], rows: Sequence[ChatMessage]) -> bool:
        """Return whether the server counts its ids anew, now that a page did not lead on.

        One that deletes the last verified row says so with a new row. One whose newest id is below it, or
        that has another row under an id that was seen, counts anew.

        Args:
            held: The newest rows up to the last verified one.
            rows: Those beyond it.
        """
        shown = [*held, *rows]
        if self._differs(shown):
            return True
        if not held or self.verified not in self._seen:  # where a position begins is no row of its own
            return False
        goes_on = any(row.id > self.verified for row in rows) and self._seen.agree(shown)
        return not (self.has_last(held) or goes_on)

    @property
    def has_rows(self) -> bool:
        """Whether a row of the conversation was seen, and not just where it begins."""
        return bool(self._seen)

    def gap_before(self, rows: Sequence[ChatMessage]) -> Gap | None:
        """Return what is missing between the last verified row and a page before which nothing is held."""
        if rows[0].id - 1 <= self.verified or self._seen.agree(rows):
            return None
        at = self._seen.get(self.verified)
        since = at.sent_at if at else self._seen.sent_at
        return Gap(self.verified + 1, rows[0].id - 1, max(rows[0].sent_at - since, 0.0))

    def contradicts(self, row: ChatMessage) -> bool:
        """Return whether a row shows that the server may count its ids anew: only the history shows it.

        It has the id of another row, or one that is too small for the time at which it was sent.
        """
        if row.id in self._seen:
            return not self._seen.knows(row)
        return self._is_too_late(row.id, row.sent_at)

    def contradicts_id(self, number: int, sent_at: float) -> bool:
        """Return the same of a row of which only the id is known, and when it was sent."""
        if (seen := self._seen.get(number)) is not None:
            return sent_at > 0 and seen.sent_at != int(sent_at)
        return self._is_too_late(number, sent_at)

    def _is_too_late(self, number: int, sent_at: float) -> bool:
        # What others show is asked only about a row that would pass for a handled one: servers of several
        # nodes may number rows of two conversations in another order than that of their seconds.
        passes = number <= self.low
        return self._seen.overtaken(number, sent_at) or (passes and self._elsewhere(number, sent_at - 1))

    def read(self, rows: Sequence[ChatMessage]) -> None:
        """Take a page that was asked for from `after` on, and leads, as verified."""
        for row in rows:
            self.see(row, done=not self.is_new(row))
        self.verified = max(self.verified, *(row.id for row in rows), 0)
        self.newest = max(self.newest, self.verified)
        self.unverified = 0

    def see(self, row: ChatMessage, *, done: bool) -> None:
        """Remember a row, so that it is recognised; one that has long been handled is not kept."""
        if done := done and row.id not in self._open:
            self.newest = max(self.newest, row.id)
        if row.id <= self._floor:
            return
        known = self._seen.get(row.id)
        seen = witness(row, done=done or (known is not None and known.done and self._seen.knows(row)))
        if seen != known:
            self.unverified += known is None
            self._seen.take(seen)
            self._floor = max(self._floor, self._seen.forget(self.low))
            self._unwritten.add(row.id)

    # -- servers that count anew

    def kept(self, rows: Sequence[ChatMessage]) -> int:
        """Return up to which id the server kept what it had before it counted anew; 0: nothing of these rows.

        That is what was sent before the last row of the count before, and what ends with a row up to which
        all was handled.
        """
        ended_at = self._seen.ended_at(rows)
        return max(
            (
                row.id
                for row in rows
                if row.sent_at < ended_at or (row.id <= self.low and self._seen.knows(row))
            ),
            default=0,
        )

    def begin_again(self, rows: Sequence[ChatMessage], base: int = 0) -> None:
        """Go back to the beginning: ids start again.

        Of the rows there already, those are new that were sent since; later ones are new also where the
        server's clock went back. Lines that the app has are handled under their old ids, which count no more.

        Args:
            rows: The newest that the server holds, back to one that it kept.
            base: Up to which id it kept what it had, as far as other conversations show.
        """
        # Times are whole seconds: in the last one, what was seen is old, unless the server kept nothing.
        base = max(base, self.kept(rows))
        seen = {(seen.sent_at, seen.fingerprint) for seen in self._seen if base}
        same = {row.id for row in rows if self._seen.knows(row) and not self.is_new(row)}
        old = same | {
            row.id for row in rows if row.id <= base or (int(row.sent_at), fingerprint(row)) in seen
        }
        still_open = {number: line for number, line in self._open.items() if number in same}
        due = ({row.id for row in rows} - old) | still_open.keys()
        low = min(due) - 1 if due else max(old, default=0)
        witnesses = [witness(row, done=row.id not in due) for row in rows]
        self.old = False
        self._begin(ConversationMarks(low, witnesses=witnesses))
        self._open, self._open_ids = still_open, sorted(still_open)

    def overtaken(self, number: int, sent_at: float) -> bool:
        """Return whether a row of today's count with this id or a larger one was sent earlier than this."""
        return not self.old and self._seen.overtaken(number, sent_at)

    def _differs(self, rows: Sequence[ChatMessage]) -> bool:
        return any(self.contradicts(row) for row in rows)
