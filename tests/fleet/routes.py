"""The ways by which servers reach each other, each of which can be cut."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import permutations

from tests.fleet.forwarder import Forwarder

__all__ = ["Routes", "open_routes"]


class Routes:
    """All of them.

    Args:
        ways: From one to another, by their numbers.
    """

    def __init__(self, ways: dict[tuple[int, int], Forwarder]) -> None:
        self._ways = ways
        self._cuts = Counter[tuple[int, int]]()

    def __call__(self, one: int, other: int, port: int) -> str:
        """Return by which address one server reaches the port of another."""
        way = self._ways[one, other]
        way.target = port
        return way.address

    async def isolate(self, number: int, *others: int, resets: bool) -> None:
        """Cut a server from these, or from all: they are silent to each other, or their connections end too.

        Each cut is to be mended on its own.
        """
        for pair in self._between(number, others):
            self._cuts[pair] += 1
            self._ways[pair].cut()
            if resets:
                await self._ways[pair].reset()

    async def mend(self, number: int, *others: int, resets: bool) -> None:
        """Undo that."""
        pairs = self._between(number, others)
        self._cuts.subtract(pairs)
        whole = [self._ways[pair] for pair in pairs if not self._cuts[pair]]
        await asyncio.gather(*(way.mend(resets=resets) for way in whole))

    def _between(self, number: int, others: Sequence[int]) -> list[tuple[int, int]]:
        return [
            (one, other)
            for one, other in self._ways
            if number in {one, other} and (not others or {one, other} - {number} <= set(others))
        ]


@asynccontextmanager
async def open_routes(count: int = 3) -> AsyncIterator[Routes]:
    """Open the ways between so many servers."""
    async with AsyncExitStack() as stack:
        ways = {pair: Forwarder("127.0.0.1") for pair in permutations(range(count), 2)}
        for way in ways.values():
            await way.open()
            stack.push_async_callback(way.close)
        yield Routes(ways)
