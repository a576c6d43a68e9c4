"""The rooms of one sandbox, and how the gateway sees them."""

from collections.abc import Iterator
from typing import Any

from hangbot.sandbox.ids import Ids
from hangbot.sandbox.room.room import Room
from hangbot.sandbox.room.variants import RoomVariants

__all__ = ["Rooms"]


class Rooms:
    """Rooms by uuid and slug; the first one is the bot's.

    Args:
        variants: The unknowns, settled, for every room.
        ids: Where uuids come from.
    """

    def __init__(self, variants: RoomVariants, ids: Ids | None = None) -> None:
        self._ids = ids or Ids()
        self.variants = variants
        self._rooms: dict[str, Room] = {}

    def __iter__(self) -> Iterator[Room]:
        return iter(tuple(self._rooms.values()))

    def __len__(self) -> int:
        return len(self._rooms)

    @property
    def first(self) -> Room:
        """The room that calls without a room mean."""
        return next(iter(self._rooms.values()))

    def add(self, slug: str, name: str | None = None, *, uuid: str | None = None) -> Room:
        """A new, empty room.

        Raises:
            ValueError: The slug or the uuid is taken.
        """
        uuid = uuid or self._ids.uuid()
        if uuid in self._rooms or any(room.slug == slug for room in self):
            raise ValueError(f"there is a room {slug} already")
        name = name or slug.replace("-", " ").title()
        room = self._rooms[uuid] = Room(uuid, slug, name, self.variants, self._ids)
        return room

    def get(self, uuid: object) -> Room | None:
        """The room of that uuid, or ``None``."""
        return self._rooms.get(uuid) if isinstance(uuid, str) else None

    def reset(self) -> None:
        """Every room empty again, as it was when it was added."""
        for room in self:
            self._rooms[room.uuid] = Room(room.uuid, room.slug, room.name, self.variants, self._ids)

    def by_uuid(self, uuid: str) -> dict[str, Any] | None:
        """A room as the gateway shows it, or ``None``."""
        room = self.get(uuid)
        return None if room is None else _shown(room)

    def by_slug(self, slug: str) -> dict[str, Any] | None:
        """A room as the gateway shows it, or ``None``."""
        return next((_shown(room) for room in self if room.slug == slug), None)


def _shown(room: Room) -> dict[str, Any]:
    playing = room.state["nowPlaying"]
    return {
        **room.state["settings"],
        "uuid": room.uuid,
        "slug": room.slug,
        "name": room.name,
        "usersInRoomUuids": [user["uuid"] for user in room.state["allUsers"]],
        "song": None if playing is None else playing["song"],
        "roomRoles": room.state["settings"]["roomRoles"],
        "recent_songs": list(room.stage.recent_songs),
    }
