"""The folder whose ``*.env`` files are the rooms of a fleet."""

import asyncio
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hangbot.config import ENV, Settings
from hangbot.config.cluster import SCHEME, parse_address
from hangbot.config.envfile import read_env_file
from hangbot.config.locations import OUTBOX
from hangbot.errors import ConfigError
from hangbot.fleet.assignment import RoomFile
from hangbot.fleet.entries import Folder
from hangbot.fleet.keys import ENDING, room_key, room_name, shown_name

if TYPE_CHECKING:
    from hangbot.config.cluster import ClusterAddress
    from hangbot.config.envfile import EnvFile

__all__ = ["RoomConfig", "RoomFolder"]

_Stamp = tuple[int, int, int]
_LONGEST: Final = 1000
"""Characters of what is said of one file that cannot be used: a thousand wrong lines have a fault each."""
_OF_WORKER: Final = frozenset({ENV["status_port"].name, ENV["status_host"].name})
"""Of the worker's own environment anyway."""


@dataclass(frozen=True, slots=True)
class RoomConfig:
    """A room as its file has it.

    Attributes:
        key: Of the room in the cluster.
        name: The stem of the file's name.
        settings: The configuration.
        digest: Of what the file says; no secret can be learnt from it.
        overruled: What the file says in vain, by name: the worker's environment says something else.
    """

    key: str
    name: str
    settings: Settings
    digest: str
    overruled: tuple[str, ...] = ()


class RoomFolder:
    """The rooms' files, read again where they have changed.

    Args:
        path: The folder.
        environ: As for `Settings.load`.

    Attributes:
        known: Called with each configuration that is read later, before it is used: to mask its secrets.
        rooms: The usable files, by the keys of the rooms.
        faulty: What is wrong with the others, by their names without the ending.
        entry: What other workers are to know of it.
    """

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path = path
        self.rooms: dict[str, RoomConfig] = {}
        self.faulty: dict[str, str] = {}
        self.entry = Folder()
        self.known: Callable[[Settings], object] = lambda _: None
        self._environ = environ
        self._cluster: ClusterAddress | None = None
        self._stamps: dict[Path, _Stamp | None] = {}
        self._read: dict[Path, RoomConfig | str] = {}

    async def look(self) -> bool:
        """Read what has changed; return whether anything has.

        Raises:
            ConfigError: There is no such folder, or it cannot be read; or all its files are gone at once, as
                where a disk is no longer mounted there. What was read before stands.
        """
        stamps = await asyncio.to_thread(self._look)
        if self.rooms and not stamps:
            raise ConfigError(
                f"the folder {self.path} has no *.env file any more",
                remedy="Put them back; to end a worker on purpose, `hangbot fleet drain WORKER`.",
            )
        before, self._read = self._read, {}
        for path, stamp in stamps.items():
            read = before.get(path)
            if self._stamps.get(path) != stamp or not isinstance(read, RoomConfig):
                # Also what could not be used: the cause may lie beside the file, in its rights or a disk.
                read = await asyncio.to_thread(self._load, path)
            self._read[path] = read
        self._stamps = stamps
        if self._read == before:
            return False
        self._sort()
        return True

    def _look(self) -> dict[Path, _Stamp | None]:
        try:
            found = sorted(path for path in self.path.iterdir() if _is_rooms(path.name))
        except OSError as exc:
            raise ConfigError(
                f"the folder {self.path} cannot be read: {exc.strerror or exc}",
                remedy="Name the folder of the rooms' files with --rooms.",
            ) from None
        return {path: _stamp(path) for path in found if os.path.lexists(path)}

    def _load(self, path: Path) -> RoomConfig | str:
        name = room_name(path)
        if name is None:
            return "its name is not UTF-8 text, and would be another one elsewhere: rename it"
        try:
            if not path.is_file():  # a pipe could be read once only
                return "it is no file" if path.exists() else "it leads to no file"
            file = read_env_file(path)
            settings = Settings.load(path, self._environ, file=file)
        except OSError as exc:
            return f"it cannot be read: {exc.strerror or exc}"
        except ConfigError as exc:
            return "; ".join(exc.faults) or f"{exc}. {exc.remedy}"
        self.known(settings)
        overruled = tuple(self._overruled(file))
        if fault := _fault_of_outbox(settings.cluster, file, is_overruled=OUTBOX in overruled):
            return fault
        said = {name: entry.value for name, entry in file.values.items()}
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
        return RoomConfig(room_key(settings), name, settings, digest, overruled)

    def _overruled(self, file: "EnvFile") -> Iterator[str]:
        """Yield the names of what a file says in vain."""
        for name in (env.name for env in ENV.values() if env.name not in _OF_WORKER):
            said, own = file.values.get(name), self._environ.get(name, "").strip()
            if said and said.value.strip() and own not in {"", said.value.strip()}:
                yield name

    def _sort(self) -> None:
        self.rooms, self.faulty = {}, {}
        named = Counter(read.settings.cluster for read in self._read.values() if isinstance(read, RoomConfig))
        if named and self._cluster is None:
            # That of the most; later ones do not change it: the worker is connected to it.
            self._cluster = named.most_common(1)[0][0]
        for path, read in self._read.items():
            found = read if isinstance(read, str) else self._fault(read)
            if isinstance(read, RoomConfig) and not found:
                self.rooms[read.key] = read
            else:
                self.faulty[shown_name(path)] = found if len(found) <= _LONGEST else f"{found[:_LONGEST]}…"
        rooms = {key: RoomFile(room.name, room.digest) for key, room in self.rooms.items()}
        self.entry = Folder(rooms, dict(self.faulty))

    def _fault(self, room: RoomConfig) -> str:
        """Return why a file cannot be used beside the others; empty: it can."""
        if room.settings.cluster != self._cluster:
            if str(room.settings.cluster) == str(self._cluster):
                return (
                    f"it names another login than this worker has ({self._cluster}): start the worker again"
                )
            return f"it names another cluster than the worker's ({self._cluster})"
        if other := self.rooms.get(room.key):
            return f"it is the same bot in the same room as {other.name}.env"
        return ""


def _is_rooms(name: str) -> bool:
    """Whether a file's name is a room's; hidden ones are editors' and copying programs'."""
    return name.endswith(ENDING) and not name.startswith(".")


def _fault_of_outbox(cluster: "ClusterAddress | None", file: "EnvFile", *, is_overruled: bool) -> str:
    """Return why a file's outbox is none of this fleet's; empty: it is."""
    said = entry.value if (entry := file.values.get(OUTBOX)) else ""
    if cluster is None:
        whose = f"{OUTBOX} of the worker's environment" if is_overruled else f"its {OUTBOX}"
        return f"{whose} names no cluster of a fleet (nats://…)"
    if is_overruled and said.startswith(SCHEME) and not _is_one_fleet(said, cluster):
        return (
            f"{OUTBOX} of the worker's environment names another fleet than it ({cluster}), and two fleets "
            "would run the room: take it out of the environment, or correct the file"
        )
    return ""


def _is_one_fleet(said: str, cluster: "ClusterAddress") -> bool:
    """Whether an address names the same fleet, on one of the same servers at least."""
    try:
        other = parse_address(said)
    except ConfigError:
        return False
    return other.fleet == cluster.fleet and not {*other.servers}.isdisjoint(cluster.servers)


def _stamp(path: Path) -> _Stamp | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
