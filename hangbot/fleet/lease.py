"""Whether a worker owns a room, as its answers from the cluster have it. PURE.

A lease ends by itself `LASTS` after it was stored last. Its owner stores it again each `EVERY`, and acts
until `MARGIN` before it can end, counted from just before the last store that it has an answer to: whatever
became of the others, nothing else can own the room by then. What a store decides, no read does: a read only
shows what the next store has to expect.
"""

from dataclasses import dataclass
from math import inf
from typing import Final

from hangbot.fleet.claim import Claim
from hangbot.fleet.streams import Entry

__all__ = ["EVERY", "LASTS", "MARGIN", "Lease"]

LASTS: Final = 3
"""Seconds until a lease ends that is not stored again; the cluster counts whole ones."""
EVERY: Final = 1.0
"""Seconds between two stores."""
MARGIN: Final = 1.0
"""Seconds before the end at which the owner stops acting: for what comes between looking at the clock and
acting, and for clocks that do not run alike."""
_AGAIN: Final = 0.25
"""Seconds until an attempt follows one that had no answer."""


@dataclass(slots=True)
class Lease:
    """A room's lease as a worker knows it. Times are seconds of one clock of that worker.

    Attributes:
        room: The room's key.
        id: What its claims carry, and no others.
        expects: What the next store has to follow; ``None``: `saw` what stands there first.
        owned: Whether it was stored, and nothing has shown that it ended.
        token: The sequence with which this ownership began; later owners have greater ones.
        until: Until when the owner may act.
        due: When the next store is.
    """

    room: str
    id: str
    expects: int | None = None
    owned: bool = False
    token: int = 0
    until: float = -inf
    due: float = -inf
    _known: int = 0
    _doubted: bool = False

    def may_act(self, now: float) -> bool:
        """Return whether nothing else can own the room yet."""
        return self.owned and now < self.until

    # -- what came of a store

    def stored(self, sequence: int, asked: float) -> None:
        """Note that it was stored, when asked for at a time just before."""
        if not self.owned:
            self.owned, self.token = True, sequence
        self.expects = self._known = sequence
        self._doubted = False
        self.until = max(self.until, asked + LASTS - MARGIN)
        self.due = asked + EVERY

    def outdated(self, now: float) -> None:
        """Note that something else was newest, so that nothing is done until what stands there is read.

        That may be an own store: one that had no answer, or that was refused by a server which leads no more
        when the one that leads had taken it already.
        """
        self.expects, self.due = None, now
        if not self._doubted:
            self.until = -inf

    def unanswered(self, now: float) -> None:
        """Note that it may be stored, now or later."""
        self.expects, self._doubted, self.due = None, True, now + _AGAIN

    def unreached(self, now: float) -> None:
        """Note that nothing was asked."""
        self.due = now + _AGAIN

    # -- what a read has shown

    def saw(self, newest: Entry | None, now: float) -> None:
        """Note what stands there, or stood there a while ago.

        What is older than what is known to be stored says nothing.
        """
        self.due = now
        if newest is None:
            self.expects = self._known if now < self.until + MARGIN else 0
            return
        if newest.sequence < self._known:
            self.expects = self._known
            return
        claim = None if newest.data is None else Claim.from_bytes(newest.data)
        if claim and claim.id == self.id and not claim.free:
            self.expects = self._known = newest.sequence
            return
        if newest.sequence > self._known:
            self._end()
        is_free = newest.data is None or (claim is not None and claim.free)
        self.expects = newest.sequence if is_free else None

    def _end(self) -> None:
        self.owned, self.until = False, -inf
