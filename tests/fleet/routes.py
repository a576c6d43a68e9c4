"""The ways by which servers reach each other, each of which can be cut."""

import asyncio
from collections.abc import AsyncIterator
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
        self._isolated: set[int] = set()

    def __call__(self, one: int, other: int, port: int) -> str:
        """Return by which address one server reaches the port of another."""
        way = self._ways[one, other]
        way.target = port
        return way.address

    @property
    def ports(self) -> set[int]:
        """Where they are reached by each other."""
        return {way.port for way in self._ways.values()}

    async def isolate(self, number: int, *, resets: bool) -> None:
        """Cut a server from all others: they are silent to each other, or their connections end as well."""
        self._isolated.add(number)
        for pair, way in self._ways.items():
            if number in pair:
                way.cut()
                if resets:
                    await way.reset()

    async def mend(self, number: int, *, resets: bool) -> None:
        """Let it reach those again that are not cut from all themselves."""
        self._isolated.discard(number)
        whole = [
            way for pair, way in self._ways.items() if number in pair and self._isolated.isdisjoint(pair)
        ]
        await asyncio.gather(*(way.mend(resets=resets) for way in whole))


@asynccontextmanager
async def open_routes(count: int = 3) -> AsyncIterator[Routes]:
    """Open the ways between so many servers."""
    async with AsyncExitStack() as stack:
        ways = {pair: Forwarder("127.0.0.1") for pair in permutations(range(count), 2)}
        for way in ways.values():
            await way.open()
            stack.push_async_callback(way.close)
        yield Routes(ways)
