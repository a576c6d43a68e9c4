from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from hangbot.ops.stream import MOST_STREAMS, Streams, TooMany
from pytest_hangfm.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable


class Counted:
    """A feed that only counts."""

    def __init__(self) -> None:
        self.looks = 0

    async def look(self) -> None:
        self.looks += 1

    def whole(self) -> bytes:
        return b"whole %d" % self.looks

    def news(self) -> bytes:
        return b"news %d" % self.looks

    async def close(self) -> None:
        pass


class Failing(Counted):
    async def look(self) -> None:
        await super().look()
        if self.looks > 1:
            raise ValueError("a bug")


def nothing() -> None:
    pass


def cuts(cut: list[str], name: str) -> Callable[[], None]:
    return lambda: cut.append(name)


async def test_one_look_a_second_serves_all_pages_and_none_is_made_while_none_is_open() -> None:
    feed, clock = Counted(), ManualClock()
    streams = Streams(feed, clock)

    async with streams.opened(nothing) as one, streams.opened(nothing) as two:
        first = [await anext(one), await anext(two)]
        await clock.advance(1.0)
        second = [await anext(one), await anext(two)]
    await clock.advance(60.0)

    assert first == [b"whole 1", b"whole 1"]
    assert second == [b"news 2", b"news 2"]
    assert feed.looks == 2
    await streams.close()


async def test_who_does_not_read_is_cut_off_and_the_others_read_on() -> None:
    clock, cut = ManualClock(), list[str]()
    streams = Streams(Counted(), clock)

    async with streams.opened(cuts(cut, "slow")), streams.opened(cuts(cut, "good")) as good:
        for _ in range(10):
            await clock.advance(1.0)
            await anext(good)

    assert set(cut) == {"slow"}
    await streams.close()


async def test_more_pages_than_may_be_open_are_refused_and_places_come_back() -> None:
    streams = Streams(Counted(), ManualClock())
    async with AsyncExitStack() as stack:
        for _ in range(MOST_STREAMS):
            await stack.enter_async_context(streams.opened(nothing))

        with pytest.raises(TooMany):
            await stack.enter_async_context(streams.opened(nothing))
    async with streams.opened(nothing) as again:
        assert await anext(again)
    await streams.close()


@pytest.mark.parametrize("how", ["closed", "failed"])
async def test_every_page_is_told_the_end(how: str, caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    streams = Streams(Failing() if how == "failed" else Counted(), clock)

    async with streams.opened(nothing) as stream:
        await anext(stream)
        if how == "failed":
            await clock.advance(1.0)
        else:
            await streams.close()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    assert ("a bug" in caplog.text) is (how == "failed")
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "hangbot-page"]
    await streams.close()
