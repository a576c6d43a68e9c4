"""The rows of one conversation that are recognised, and what they show about the server's count. PURE.

While a server counts on, a row with a smaller id was not sent later than one with a larger id, and an id
stands for one row. A row that does not go with that is one of another count.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from hangbot.bot.events import ChatMessage
from hangbot.delivery.inbox import Witness

__all__ = ["Witnesses", "fingerprint", "witness"]

_REMEMBERED: Final = 500
"""Rows that are recognised; a page has fewer, so what is held up to the last verified row is among them."""


class Witnesses:
    """What is remembered of the rows that were seen, by id.

    Args:
        known: The first of them.

    Attributes:
        sent_at: When the latest of all was sent; whole seconds since the epoch, by the server.
    """

    def __init__(self, known: Iterable[Witness] = ()) -> None:
        self.sent_at = 0
        self._by_id: dict[int, Witness] = {}
        self._largest = 0
        for each in known:
            self.take(each)

    def __contains__(self, number: object) -> bool:
        return number in self._by_id

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Witness]:
        """Yield them in the order of their ids."""
        return (self._by_id[number] for number in sorted(self._by_id))

    def get(self, number: int) -> Witness | None:
        """Return the one with an id, or ``None``."""
        return self._by_id.get(number)

    def take(self, one: Witness) -> None:
        """Remember a row; another one with its id is forgotten."""
        self._by_id[one.id] = one
        self._largest = max(self._largest, one.id)
        self.sent_at = max(self.sent_at, one.sent_at)

    def forget(self, low: int) -> int:
        """Forget the oldest where there are many, none above ``low``; return the largest id that is gone."""
        gone = 0
        if len(self._by_id) > 2 * _REMEMBERED:
            for number in sorted(self._by_id)[:-_REMEMBERED]:
                if number > low:
                    break  # of what is not handled nothing is forgotten
                del self._by_id[number]
                gone = number
        return gone

    # -- which rows they are

    def knows(self, row: ChatMessage) -> bool:
        """Return whether a row is the one that was seen with its id, perhaps edited or deleted since."""
        seen = self._by_id.get(row.id)
        if seen is None or seen.sent_at != int(row.sent_at):
            return False
        known, shown = seen.fingerprint.split(":"), fingerprint(row).split(":")
        return known[0] == shown[0] and (known[1] == shown[1] or row.edited or row.deleted)

    def agree(self, rows: Sequence[ChatMessage]) -> bool:
        """Return whether some of the rows were seen, and none of these ids was another row's."""
        known = [self.knows(row) for row in rows if row.id in self._by_id]
        return any(known) and all(known)

    # -- the server's count

    def overtaken(self, number: int, sent_at: float) -> bool:
        """Return whether one with this id or a larger one was sent earlier, by a second at least."""
        if number > self._largest:
            return False
        return any(seen.id >= number and sent_at >= seen.sent_at + 1 for seen in self._by_id.values())

    def ended_at(self, rows: Sequence[ChatMessage]) -> int:
        """Return when the count before that of the rows ended, as far as that shows; 0: it does not.

        Then the last one was sent that does not go with the rows. Those that do are of today's count,
        whenever they were seen.
        """
        known = {row.id for row in rows if self.knows(row)}
        gone = (seen for seen in self._by_id.values() if seen.id not in known and _refuted(seen, rows))
        return max((seen.sent_at for seen in gone), default=0)


def witness(row: ChatMessage, *, done: bool) -> Witness:
    """Return what is remembered of a row; ``done``: it is handled."""
    return Witness(row.id, int(row.sent_at), fingerprint(row), done)


def fingerprint(row: ChatMessage) -> str:
    """Return what stands for a row's author, and behind a colon what stands for its text."""
    return f"{_digest(row.sender, row.raw.get('muid'))}:{_digest(row.text)}"


def _refuted(seen: Witness, rows: Sequence[ChatMessage]) -> bool:
    return any(row.id == seen.id or (row.id < seen.id and row.sent_at >= seen.sent_at + 1) for row in rows)


def _digest(*parts: object) -> str:
    return hashlib.blake2s(repr(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
