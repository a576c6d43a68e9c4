"""Storing through servers that come, go and change their leader, as the product does it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from hangbot.fleet.streams import ClusterAway, Outdated, Stream
from tests.bounds import WITHIN

__all__ = ["answered", "store_or_find", "stored"]

T = TypeVar("T")


async def store_or_find(stream: Stream, subject: str, data: bytes, *, last: int, key: str) -> int:
    """Store a record, and return its sequence.

    A server that leads only since a moment, or no more, may refuse what is stored: what is there decides.

    Raises:
        ClusterAway: There is no telling, or nothing stands there: store it again.
        Outdated: Something else does.
    """
    try:
        return await stream.store(subject, data, last=last, key=key)
    except Outdated as exc:
        found = await stream.read(subject, after=last)
        if not found:
            raise ClusterAway("it was refused for what is not to be read") from exc
        if found[0].data != data:
            raise
        return found[0].sequence


async def stored(stream: Stream, subject: str, data: bytes, *, last: int, key: str) -> int:
    """Store until that is acknowledged, or seen to be there."""
    return await answered(lambda: store_or_find(stream, subject, data, last=last, key=key))


async def answered(asking: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is an answer: a server may pass on what it is asked to one that it is cut from."""
    async with asyncio.timeout(WITHIN):
        while True:
            with suppress(ClusterAway):
                return await asking()
            await asyncio.sleep(0.02)
