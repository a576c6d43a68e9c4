from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hangbot.bot.events import RoomEvent
from hangbot.hangfm.event_queue import EventQueue

if TYPE_CHECKING:
    import pytest


async def test_events_are_kept_from_when_a_reader_begins_until_the_end() -> None:
    queue = EventQueue()
    queue.put(RoomEvent("before"))
    reading = queue.events()
    first = asyncio.ensure_future(anext(reading))
    await asyncio.sleep(0)

    for name in ("one", "two"):
        queue.put(RoomEvent(name))
    queue.close()

    assert [(await first).name, *[event.name async for event in reading]] == ["one", "two"]


async def test_of_a_full_queue_the_oldest_goes_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    queue = EventQueue(largest=2)
    reading = queue.events()
    first = asyncio.ensure_future(anext(reading))
    await asyncio.sleep(0)

    for number in range(5):
        queue.put(RoomEvent(str(number)))
    queue.close()

    assert [(await first).name, *[event.name async for event in reading]] == ["3", "4"]
    assert [record.__dict__["action"] for record in caplog.records] == ["events_dropped"]
