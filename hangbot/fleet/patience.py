"""How long a cluster that does not answer is asked again, and from when on that is shown."""

import math
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from hangbot.clock import Clock
from hangbot.fleet.room_records import NothingNewer
from hangbot.fleet.streams import ClusterAway, ClusterFull

__all__ = ["Patience"]

T = TypeVar("T")
_AGAIN_AFTER: Final = 0.1
_SHOWN_AFTER: Final = 2.0
"""Seconds without an answer after which nothing is accepted any more: as long as an owner may act."""
_BEHIND_FOR: Final = 30.0
"""Seconds after which there is nothing newer to be read, where a store was refused for it: a server that is
cut from the others may take itself for the leader for 20, and refuses what they have stored meanwhile."""


class Patience:
    """Asks a cluster again until it answers.

    Args:
        clock: Measures and waits.
        on_away: Is called with what is wrong when the cluster does not answer or takes nothing, and with
            ``None`` when it does again.
        lost: Returns the error where the cluster has not what it had acknowledged.
        lasts: Seconds for which it is asked.

    Attributes:
        away: Why the cluster is known to take nothing; ``None``: it does, as far as is known.
    """

    def __init__(
        self,
        clock: Clock,
        on_away: Callable[[ClusterAway | None], None],
        *,
        lost: Callable[[], Exception],
        lasts: float = math.inf,
    ) -> None:
        self.away: ClusterAway | None = None
        self._clock, self._on_away, self._lost, self._lasts = clock, on_away, lost, lasts

    def end(self) -> None:
        """Have nothing asked again."""
        self._lasts = 0.0

    async def until_answered(self, asking: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer, as long as the patience lasts.

        Raises:
            ClusterAway: There was none.
            Exception: What ``lost`` returns, or what asking raises besides.
        """
        begun = self._clock.now()
        behind_since: float | None = None
        while True:
            try:
                found = await asking()
            except ClusterAway as exc:
                now = self._clock.now()
                if not isinstance(exc, NothingNewer):
                    behind_since = None
                elif behind_since is None:
                    behind_since = now
                elif now - behind_since >= _BEHIND_FOR:
                    raise self._lost() from exc
                if now - begun >= self._lasts:
                    raise
                if now - begun >= _SHOWN_AFTER:
                    self._show(exc)
                await self._clock.sleep(_AGAIN_AFTER)
            else:
                self._show(None)
                return found
            finally:
                if not self._lasts:
                    self._show(None)

    def _show(self, problem: ClusterAway | None) -> None:
        before, self.away = self.away, problem
        if _shown(problem) is not _shown(before):
            self._on_away(problem)


def _shown(problem: ClusterAway | None) -> type[ClusterAway] | None:
    """Return what makes a difference to who looks on."""
    return ClusterFull if isinstance(problem, ClusterFull) else ClusterAway if problem else None
