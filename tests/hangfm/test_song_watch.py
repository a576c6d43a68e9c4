import asyncio

import pytest

from hangbot.errors import AckTimeout, ConnectionLost
from hangbot.hangfm.song_watch import SongWatch
from hangbot.hangfm.wire.state import RoomState
from pytest_hangfm.manual_clock import ManualClock

AT = 1_800_000_000_000


def watching(clock: ManualClock, *echoes: Exception | None) -> asyncio.Task[str | None]:
    """Watch a song of a minute; each echo answers or fails."""
    coming = list(echoes)

    async def echo() -> None:
        trouble = coming.pop(0)
        if trouble:
            raise trouble

    song = {"startTime": AT, "endTime": AT + 60_000}
    state = RoomState({"allUsers": [], "nowPlaying": song})
    watch = SongWatch(clock, lambda: state, echo)
    watch.set_time(AT)
    return asyncio.create_task(watch.run(), name="watch")


async def test_a_song_that_is_overdue_is_told_after_a_last_look() -> None:
    clock = ManualClock()
    watch = watching(clock, None)

    await clock.advance(90)
    early = watch.done()
    await clock.advance(1)

    assert not early
    assert "the room says nothing" in str(await watch)


async def test_a_server_that_does_not_answer_is_left_to_the_heartbeat_and_asked_again() -> None:
    clock = ManualClock()
    watch = watching(clock, AckTimeout("no answer", service="room"), None)

    await clock.advance(92)

    assert "the room says nothing" in str(await watch)


async def test_a_connection_that_has_gone_is_nothing_to_watch() -> None:
    clock = ManualClock()
    watch = watching(clock, ConnectionLost("gone", service="room"))

    await clock.advance(90)

    assert await watch is None


async def test_what_was_on_its_way_when_the_song_seemed_overdue_counts() -> None:
    clock = ManualClock()
    song = {"startTime": AT, "endTime": AT + 60_000}
    state = RoomState({"allUsers": [], "nowPlaying": song})

    async def echo() -> None:
        state.data["nowPlaying"] = None

    watch = SongWatch(clock, lambda: state, echo)
    watch.set_time(AT)
    task = asyncio.create_task(watch.run(), name="watch")
    await clock.advance(300)

    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
