"""What operators want of a fleet, and how it comes about."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf
from typing import Final, TypeVar

from hangbot.clock import Clock
from hangbot.errors import HangbotError
from hangbot.exit_codes import CANNOT_TELL
from hangbot.fleet.claim import Claim
from hangbot.fleet.entries import DrainWish, RoomWish, WorkerEntry
from hangbot.fleet.keys import written_name
from hangbot.fleet.lease import LASTS
from hangbot.fleet.picture import Picture, RoomRow, read_picture
from hangbot.fleet.streams import ClusterAway, Entry, Outdated, Stream
from hangbot.fleet.subjects import Kind

__all__ = ["WISH_LASTS", "drain_worker", "move_room", "put"]

T = TypeVar("T", Claim, WorkerEntry)
_LOOK_EVERY: Final = 0.5
_AGAIN_AFTER: Final = 0.25
WISH_LASTS: Final = 30 * 86_400
"""Seconds after which a wish that no worker stores again is forgotten: its worker is gone, or its room."""
_DRAIN_LASTS: Final = 3_600
"""Seconds within which a worker looks whether it is to drain."""


async def put(
    register: Stream, subject: str, data: bytes, clock: Clock, *, seconds: int | None = None
) -> int:
    """Store something whatever stands there, for so many seconds or for ever, and return its sequence.

    Raises:
        ClusterAway: The cluster cannot be reached.
    """
    while True:
        found = await register.newest([subject])
        last = found[0].sequence if found else 0
        with suppress(Outdated):  # something else came first, or the read was behind
            return await register.store(subject, data, last=last, seconds=seconds)
        await clock.sleep(_AGAIN_AFTER)


async def move_room(register: Stream, room: str, worker: str, *, within: float, clock: Clock) -> RoomRow:
    """Have a worker own a room, and return the room once its bot is ready there.

    Args:
        register: Of the fleet.
        room: The room's name, that of its file, or its key.
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
    wish, lease = Kind.WISH.of(row.key), Kind.LEASE.of(row.key)
    own = await put(register, wish, RoomWish(worker).to_bytes(), clock, seconds=WISH_LASTS)
    missing, moved = "", row

    def is_there(found: Mapping[str, Entry]) -> bool:
        nonlocal missing, moved
        if wish in found and found[wish].sequence > own:  # what is older was read too late
            _refuse_if_other(RoomWish.from_bytes(found[wish].data or b""), row.name, worker)
        is_live = _read(found, Kind.WORKER.of(worker), WorkerEntry)
        missing = "" if is_live else ", and no such worker is there now"
        claim = _read(found, lease, Claim)
        if claim is None or claim.free or claim.holder.worker != worker or not claim.ready:
            return False
        moved = replace(row, owner=claim.holder, ready=True, queued=claim.queued, since=claim.since)
        return True

    if not await _wait(register, [lease, wish, Kind.WORKER.of(worker)], is_there, within, clock):
        what = f"{row.name} is to move to worker {worker}, and was not ready there in {within:g} s"
        raise _not_yet(what + missing)
    return moved


async def drain_worker(register: Stream, worker: str, *, within: float, clock: Clock) -> int:
    """Have a worker give its rooms up and end; return how many it had, once it has none.

    Raises:
        HangbotError: There is no such worker, or it has not in time; or it ended without giving them up.
        ClusterAway: The cluster cannot be reached.
    """
    picture = await read_picture(register)
    entry = picture.workers.get(worker)
    if entry is None:
        raise _unknown("worker", worker, list(picture.workers))
    rooms = [row.key for row in picture.rooms.values() if row.owner and row.owner.run == entry.run]
    await put(register, Kind.DRAIN.of(worker), DrainWish(entry.run).to_bytes(), clock, seconds=_DRAIN_LASTS)
    obeys, gone_at = entry.draining, inf

    def is_done(found: Mapping[str, Entry]) -> bool:
        nonlocal obeys, gone_at
        now = _read(found, Kind.WORKER.of(worker), WorkerEntry)
        is_here = now is not None and now.run == entry.run
        obeys = obeys or (now is not None and is_here and now.draining)
        gone_at = inf if is_here else min(gone_at, clock.now())
        claims = [_read(found, Kind.LEASE.of(room), Claim) for room in rooms]
        owns = any(claim and not claim.free and claim.holder.run == entry.run for claim in claims)
        return not owns and (obeys or clock.now() - gone_at >= LASTS)  # no leader, and it looks gone as well

    asked = [Kind.WORKER.of(worker), *map(Kind.LEASE.of, rooms)]
    if not await _wait(register, asked, is_done, within, clock):
        raise _not_yet(f"worker {worker} drains, and still had rooms after {within:g} s")
    if not obeys:
        raise HangbotError(
            f"worker {worker} is gone, and did not give its rooms up ({len(rooms)}): their leases have ended",
            remedy="Its log may say why. Others take the rooms: `hangbot fleet status` shows them.",
        )
    return len(rooms)


async def _wait(
    register: Stream,
    subjects: Sequence[str],
    done: Callable[[Mapping[str, Entry]], bool],
    within: float,
    clock: Clock,
) -> bool:
    """Read subjects again and again, while servers elect a leader too; return whether it was done in time."""
    end = clock.now() + within
    while True:
        is_last = clock.now() >= end
        try:
            if done({each.subject: each for each in await register.newest(subjects)}):
                return True
        except ClusterAway:
            if is_last:
                raise
        if is_last:
            return False
        await clock.sleep(_LOOK_EVERY)


def _read(found: Mapping[str, Entry], subject: str, kind: type[T]) -> T | None:
    data = found[subject].data if subject in found else None
    return kind.from_bytes(data) if data else None


def _refuse_if_other(wish: RoomWish | None, room: str, worker: str) -> None:
    if wish is None or wish.worker == worker:
        return
    what = f"was moved to worker {wish.worker}" if wish.worker else f"is not run any more ({wish.off})"
    raise HangbotError(
        f"{room} {what} meanwhile, and not to worker {worker}",
        remedy="Find out who else moves it; `hangbot fleet status` shows where it is.",
    )


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
