"""The folder whose ``*.env`` files are the rooms of a fleet."""

import asyncio
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hangbot.config import Settings
from hangbot.config.envfile import read_env_file
from hangbot.errors import ConfigError
from hangbot.fleet.assignment import RoomFile
from hangbot.fleet.entries import Folder
from hangbot.fleet.keys import room_key

if TYPE_CHECKING:
    from hangbot.config.cluster import ClusterAddress

__all__ = ["RoomConfig", "RoomFolder"]

_Stamp = tuple[int, int, int]
_ENDING: Final = ".env"


@dataclass(frozen=True, slots=True)
class RoomConfig:
    """A room as its file has it.

    Attributes:
        key: Of the room in the cluster.
        name: The stem of the file's name.
        settings: The configuration.
        digest: Of what the file says; no secret can be learnt from it.
    """

    key: str
    name: str
    settings: Settings
    digest: str


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
        if settings.cluster is None:
            return "its HANGBOT_OUTBOX names no cluster of a fleet (nats://…)"
        said = {name: entry.value for name, entry in file.values.items()}
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
        return RoomConfig(room_key(settings), path.stem, settings, digest)

    def _sort(self) -> None:
        self.rooms, self.faulty = {}, {}
        named = Counter(read.settings.cluster for read in self._read.values() if isinstance(read, RoomConfig))
        if named and self._cluster is None:
            # That of the most; later ones do not change it: the worker is connected to it.
            self._cluster = named.most_common(1)[0][0]
        for path, read in self._read.items():
            if isinstance(read, str):
                self.faulty[path.stem] = read
            elif read.settings.cluster != self._cluster:
                what = "login" if str(read.settings.cluster) == str(self._cluster) else "cluster"
                self.faulty[path.stem] = f"it names another {what} than the worker's ({self._cluster})"
            elif other := self.rooms.get(read.key):
                self.faulty[path.stem] = f"it is the same bot in the same room as {other.name}.env"
            else:
                self.rooms[read.key] = read
        rooms = {key: RoomFile(room.name, room.digest) for key, room in self.rooms.items()}
        self.entry = Folder(rooms, dict(self.faulty))


def _is_rooms(name: str) -> bool:
    """Whether a file's name is a room's; hidden ones are editors' and copying programs'."""
    return name.endswith(_ENDING) and not name.startswith(".")


def _stamp(path: Path) -> _Stamp | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
