"""What operators want of a fleet, and how it comes about."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from hangbot.clock import Clock
from hangbot.errors import HangbotError
from hangbot.exit_codes import CANNOT_TELL
from hangbot.fleet.entries import DrainWish, RoomWish
from hangbot.fleet.keys import written_name
from hangbot.fleet.picture import Picture, RoomRow, read_picture
from hangbot.fleet.streams import Outdated, Stream

__all__ = ["drain_worker", "move_room", "put"]

T = TypeVar("T")
_LOOK_EVERY: Final = 0.1
_AGAIN_AFTER: Final = 0.25


async def put(register: Stream, subject: str, data: bytes, clock: Clock) -> None:
    """Store something whatever stands there; raises `ClusterAway`."""
    while True:
        found = await register.newest([subject])
        with suppress(Outdated):  # something else came first, or the read was behind
            await register.store(subject, data, last=found[0].sequence if found else 0)
            return
        await clock.sleep(_AGAIN_AFTER)


async def move_room(register: Stream, room: str, worker: str, *, within: float, clock: Clock) -> RoomRow:
    """Have a worker own a room, and return the room once its bot is ready there.

    Args:
        register: Of the fleet.
        room: The room's name, or its key.
        worker: The worker's name.
        within: Seconds to wait for that.
        clock: Measures and waits.

    Raises:
        HangbotError: There is no such room or worker, or it cannot have the room; or it has not in time.
        ClusterAway: The cluster cannot be reached.
    """
    picture = await read_picture(register)
    row = _known_room(picture, room)
    _refuse_unless_able(picture, row, worker)
    await put(register, f"wish.{row.key}", RoomWish(worker).to_bytes(), clock)

    def is_there(seen: Picture) -> RoomRow | None:
        now = seen.rooms.get(row.key)
        return now if now and now.owner and now.owner.worker == worker and now.ready else None

    moved = await _wait(register, is_there, within, clock)
    if moved is None:
        raise _not_yet(f"{row.name} is to move to worker {worker}, and was not ready there in {within:g} s")
    return moved


async def drain_worker(register: Stream, worker: str, *, within: float, clock: Clock) -> int:
    """Have a worker give its rooms up and end; return how many it had, once it has none.

    Raises:
        HangbotError: There is no such worker, or it has not in time.
        ClusterAway: The cluster cannot be reached.
    """
    picture = await read_picture(register)
    entry = picture.workers.get(worker)
    if entry is None:
        raise _unknown("worker", worker, list(picture.workers))
    had = sum(row.owner is not None and row.owner.worker == worker for row in picture.rooms.values())
    await put(register, f"drain.{worker}", DrainWish(entry.run).to_bytes(), clock)

    def is_done(seen: Picture) -> bool | None:
        owns = any(row.owner and row.owner.run == entry.run for row in seen.rooms.values())
        now = seen.workers.get(worker)
        return True if not owns and (now is None or now.run != entry.run or now.draining) else None

    if await _wait(register, is_done, within, clock) is None:
        raise _not_yet(f"worker {worker} drains, and still had rooms after {within:g} s")
    return had


async def _wait(
    register: Stream, found: Callable[[Picture], T | None], within: float, clock: Clock
) -> T | None:
    end = clock.now() + within
    while True:
        if (what := found(await read_picture(register))) is not None:
            return what
        if clock.now() >= end:
            return None
        await clock.sleep(_LOOK_EVERY)


def _known_room(picture: Picture, room: str) -> RoomRow:
    for name in (room, written_name(room)):
        for row in picture.rooms.values():
            if name in {row.name, row.key}:
                return row
    raise _unknown("room", room, [row.name for row in picture.rooms.values()])


def _refuse_unless_able(picture: Picture, row: RoomRow, worker: str) -> None:
    entry = picture.workers.get(worker)
    if entry is None:
        raise _unknown("worker", worker, list(picture.workers))
    why = ""
    if entry.draining:
        why = "it drains"
    elif row.key in entry.refuses:
        why = entry.refuses[row.key]
    elif row.key in picture.refused:
        why = picture.refused[row.key]
    elif entry.most == 0:
        why = "it takes no rooms"
    if why:
        raise HangbotError(
            f"worker {worker} cannot have the room {row.name}: {why}",
            remedy="Name another worker: `hangbot fleet status` shows them.",
        )


def _unknown(kind: str, name: str, known: list[str]) -> HangbotError:
    there = ", ".join(sorted(known)) if known else "none"
    return HangbotError(f"the fleet has no {kind} {name}", remedy=f"There is: {there}.")


def _not_yet(what: str) -> HangbotError:
    return _NotYet(what, remedy="Look again with `hangbot fleet status`; what is wanted stays wanted.")


class _NotYet(HangbotError):
    exit_code = CANNOT_TELL
