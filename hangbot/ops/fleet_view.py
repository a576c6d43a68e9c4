"""A worker and its fleet as rows of JSON: what ``/healthz`` and the fleet page show."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from hangbot.clock import iso_time
from hangbot.fleet.lookout import Lookout
from hangbot.fleet.picture import Picture, RoomRow
from hangbot.fleet.worker import RoomFiles, Worker, WorkerOptions
from hangbot.ops.source import Source

__all__ = ["FleetShown", "health_row", "room_row", "worker_rows"]

Row: TypeAlias = dict[str, Any]
Show: TypeAlias = Callable[[str], str]
"""Makes a text of others safe to show: secrets masked, nothing hidden in it."""

_SCHEMA: Final = 1
_ANSWERS_WITHIN: Final = 6.0
"""Seconds without an answer after which the cluster counts as away: three looks."""


class OwnRoom(NamedTuple):
    """A room that a worker has a file of, or runs a bot in.

    Attributes:
        key: By which the fleet knows it; of a file that cannot be used as `Picture.rooms` has it.
        name: The stem of its file's name.
        uuid: Of the room; empty: its file cannot be used.
    """

    key: str
    name: str
    uuid: str


@dataclass(frozen=True, slots=True)
class FleetShown:
    """What is shown of a fleet.

    Attributes:
        worker: The worker that shows it.
        options: What that was started with.
        files: Its rooms' files.
        since: When it started, in seconds since the epoch.
        lookout: How it sees the rest.
        bots: Those that run here.
    """

    worker: Worker
    options: WorkerOptions
    files: RoomFiles
    since: float
    lookout: Lookout
    bots: Collection[Source]

    @property
    def is_answered(self) -> bool:
        """Whether the cluster answers."""
        return self.lookout.age <= _ANSWERS_WITHIN

    def rooms(self) -> Iterator[OwnRoom]:
        """Yield the worker's rooms; of one whose file has gone as long as its bot runs."""
        files, lives = self.files, self.worker.rooms.lives
        running = {key: life.config for key, life in lives.items() if key not in files.rooms}
        for key, config in (*files.rooms.items(), *running.items()):
            yield OwnRoom(key, config.name, config.settings.room_uuid)
        usable = {config.name for config in running.values()}
        for name in files.entry.faulty:
            if name not in usable:
                yield OwnRoom(f"{name}.env", name, "")


def health_row(shown: FleetShown, wall: float) -> Row:
    """Return what ``/healthz`` of a worker says at a time (seconds since the epoch)."""
    worker, answers = shown.worker, shown.is_answered
    ready = {bot.bot for bot in shown.bots if bot.health().ready}
    names = sorted(life.config.name for life in worker.rooms.lives.values())
    waits = [name for name in names if name not in ready]
    holder = shown.options.holder
    return {
        "schema": _SCHEMA,
        "live": True,  # it is the loop that answers
        "ready": answers and not waits,
        "waits": waits,
        "red": [] if answers else ["cluster"],
        "at": iso_time(wall, precise=True),
        "started_at": iso_time(shown.since, precise=True),
        "pid": holder.pid,
        "version": shown.options.version,
        "worker": holder.worker,
        "host": holder.host,
        "rooms": len(names),
        "draining": worker.is_draining,
        "cluster_age_s": round(shown.lookout.age, 1),
    }


def room_row(row: RoomRow, unowned_since: float | None, show: Show) -> Row:
    """Return a room as the page shows it: ``since`` is since when it has its owner, or none."""
    since = row.since if row.owner else unowned_since
    return {
        "room": show(row.name),
        "owner": show(row.owner.worker) if row.owner else None,
        "ready": row.ready,
        "queued": row.queued,
        "since": None if since is None else iso_time(since),
        "why": show(row.why) if row.why else "",
    }


def worker_rows(picture: Picture, show: Show) -> list[Mapping[str, Any]]:
    """Return the workers as the page shows them, by their names."""
    rows: list[Row] = picture.to_json()["workers"]
    return [row | {name: show(row[name]) for name in ("worker", "host", "version")} for row in rows]
