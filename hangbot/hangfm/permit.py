"""Whether a bot may act on a room right now: in a fleet, for as long as no other worker can own the room."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from hangbot.errors import ConnectionLost, Unreachable

__all__ = ["ALWAYS", "Permit", "is_act"]

T = TypeVar("T")
_READS: Final = frozenset({"GET", "HEAD"})
_REMEDY: Final = (
    "The bot goes on by itself once the room is known to be its own: `hangbot fleet status` shows it."
)


class Permit:
    """The right to act, which may end at any moment and come back.

    Args:
        holds: Returns whether it holds: it is asked just before each act.
    """

    def __init__(self, holds: Callable[[], bool]) -> None:
        self.holds = holds
        self._under_way: set[asyncio.Timeout] = set()

    def check(self, what: str, *, service: str) -> None:
        """Raise `Unreachable` unless it holds."""
        if not self.holds():
            raise Unreachable(
                f"{what} was not sent: another worker may own the room by now",
                service=service,
                remedy=_REMEDY,
            )

    async def run(self, act: Awaitable[T], what: str, *, service: str) -> T:
        """Await an act.

        Raises:
            ConnectionLost: The permit was withdrawn meanwhile; it may have been carried out.
        """
        try:
            async with asyncio.timeout(None) as scope:
                self._under_way.add(scope)
                try:
                    return await act
                finally:
                    self._under_way.discard(scope)
        except TimeoutError:
            if not scope.expired():
                raise
            words = f"{what} was given up on its way: another worker may own the room by now"
            raise ConnectionLost(words, service=service) from None

    def withdraw(self) -> None:
        """End the acts that are on their way."""
        for scope in self._under_way:
            scope.reschedule(0)


class _Always(Permit):
    """Holds without an end, and costs nothing."""

    def __init__(self) -> None:
        super().__init__(lambda: True)

    async def run(self, act: Awaitable[T], what: str, *, service: str) -> T:  # noqa: ARG002  never given up
        return await act


ALWAYS: Final[Permit] = _Always()
"""Of a bot that is the only one of its outbox on its machine."""


def is_act(method: str) -> bool:
    """Return whether a request with this HTTP method may change anything."""
    return method not in _READS
