"""The watch of an event loop: what it counts while the loop is held up, and when it begins anew."""

import asyncio
import threading

from hangbot.loop_watch import LoopWatch
from tests.bounds import WITHIN

EVERY = 0.005


class Looks:
    """Takes the looks at a silent loop, and says when there were so many."""

    def __init__(self, until: int, anew_at: int = 0) -> None:
        self.seen: list[int] = []
        self.signs = 0
        self.enough = threading.Event()
        self._until = until
        self._anew_at = anew_at

    def sign(self) -> None:
        self.signs += 1

    def silence(self, looks: int) -> bool:
        self.seen.append(looks)
        if len(self.seen) >= self._until:
            self.enough.set()
        return looks == self._anew_at


async def test_looks_at_a_loop_that_is_held_up_are_counted_from_one() -> None:
    looks = Looks(until=3)
    watch = LoopWatch(asyncio.get_running_loop(), EVERY, looks.silence, looks.sign)

    with watch.running("watch"):
        held_up = looks.enough.wait(WITHIN)  # the loop does not turn meanwhile
        silent = watch.is_silent

    assert held_up
    assert silent
    assert looks.seen[:3] == [1, 2, 3]
    assert looks.signs == 1, "that of the beginning"


async def test_they_begin_anew_when_the_loop_has_turned() -> None:
    looks, loop, turned = Looks(until=2), asyncio.get_running_loop(), asyncio.Event()

    def sign() -> None:
        looks.sign()
        if looks.signs > 1:
            loop.call_soon_threadsafe(turned.set)

    with LoopWatch(loop, EVERY, looks.silence, sign).running("watch"):
        looks.enough.wait(WITHIN)
        before = len(looks.seen)
        await asyncio.wait_for(turned.wait(), WITHIN)
        looks.enough.clear()
        looks.enough.wait(WITHIN)

    assert 1 in looks.seen[before:]


async def test_they_begin_anew_where_that_is_asked_for() -> None:
    looks = Looks(until=5, anew_at=2)

    with LoopWatch(asyncio.get_running_loop(), EVERY, looks.silence).running("watch"):
        looks.enough.wait(WITHIN)

    assert looks.seen[:5] == [1, 2, 1, 2, 1]


def test_a_loop_that_is_closed_is_not_watched_any_more() -> None:
    loop, looks = asyncio.new_event_loop(), Looks(until=1)
    loop.close()

    with LoopWatch(loop, EVERY, looks.silence).running("closed-loop-watch"):
        watching = [each for each in threading.enumerate() if each.name == "closed-loop-watch"]
        for thread in watching:  # none, where it has ended already
            thread.join(WITHIN)

        assert not any(thread.is_alive() for thread in watching)
    assert looks.seen == []
