"""The folder whose ``*.env`` files are the rooms of a fleet."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hangbot.config import Settings
from hangbot.config.envfile import read_env_file
from hangbot.errors import ConfigError
from hangbot.fleet.assignment import RoomFile
from hangbot.fleet.entries import Folder
from hangbot.fleet.keys import room_key

__all__ = ["RoomConfig", "RoomFolder"]

_Stamp = tuple[int, int, int]


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
        self._stamps: dict[Path, _Stamp] = {}
        self._read: dict[Path, RoomConfig | str] = {}

    async def look(self) -> bool:
        """Read what has changed; return whether anything has.

        Raises:
            ConfigError: There is no such folder, or it cannot be read.
        """
        stamps = await asyncio.to_thread(self._look)
        if stamps == self._stamps:
            return False
        for path, stamp in stamps.items():
            if self._stamps.get(path) != stamp:
                self._read[path] = await asyncio.to_thread(self._load, path)
        self._read = {path: self._read[path] for path in stamps}
        self._stamps = stamps
        self._sort()
        return True

    def _look(self) -> dict[Path, _Stamp]:
        try:
            found = {path: path.stat() for path in sorted(self.path.glob("*.env"))}
            if not found:
                next(self.path.iterdir(), None)  # a folder that is missing has no files either
        except OSError as exc:
            raise ConfigError(
                f"the folder {self.path} cannot be read: {exc.strerror or exc}",
                remedy="Name the folder of the rooms' files with --rooms.",
            ) from None
        return {path: (stat.st_mtime_ns, stat.st_size, stat.st_ino) for path, stat in found.items()}

    def _load(self, path: Path) -> RoomConfig | str:
        try:
            settings = Settings.load(path, self._environ)
            said = {name: entry.value for name, entry in read_env_file(path).values.items()}
        except ConfigError as exc:
            return "; ".join(exc.faults) or f"{exc}. {exc.remedy}"
        self.known(settings)
        if settings.cluster is None:
            return "its HANGBOT_OUTBOX names no cluster of a fleet (nats://…)"
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
        return RoomConfig(room_key(settings), path.stem, settings, digest)

    def _sort(self) -> None:
        self.rooms, self.faulty = {}, {}
        cluster = next(
            (read.settings.cluster for read in self._read.values() if isinstance(read, RoomConfig)), None
        )
        for path, read in self._read.items():
            if isinstance(read, str):
                self.faulty[path.stem] = read
            elif read.settings.cluster != cluster:
                self.faulty[path.stem] = f"it names another cluster than the others ({cluster})"
            elif other := self.rooms.get(read.key):
                self.faulty[path.stem] = f"it is the same bot in the same room as {other.name}.env"
            else:
                self.rooms[read.key] = read
        rooms = {key: RoomFile(room.name, room.digest) for key, room in self.rooms.items()}
        self.entry = Folder(rooms, dict(self.faulty))
