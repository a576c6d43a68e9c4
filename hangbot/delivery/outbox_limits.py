"""How much an outbox holds, and for how long."""

from dataclasses import dataclass
from typing import Final

__all__ = ["OutboxLimits"]

_ANSWERED_WITHIN: Final = 3600.0
"""Seconds after which no line that was heard in time is still being answered."""


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """How much an outbox holds.

    Attributes:
        queue: Messages that may wait; more are refused.
        keep_for: Seconds for which delivered messages are kept.
        keep_most: Delivered messages that are kept at most, not counting the youngest: see `keep_at_least`.
        catch_up: Age in seconds up to which a line of the chat is heard again after a crash.
        count_every: Accepted messages between two counts of what waits: another process may have added some.
        prune_every: Settled messages between two looks at what is too old to keep.
    """

    queue: int = 100_000
    keep_for: float = 7 * 86_400.0
    keep_most: int = 100_000
    catch_up: float = 300.0
    count_every: int = 1000
    prune_every: int = 1000

    @property
    def keep_at_least(self) -> float:
        """Seconds for which a delivered message is kept in any case.

        A line that is heard again is answered under the same id: by that the answer is known.
        """
        return self.catch_up + _ANSWERED_WITHIN
