"""The messages of a room to all in it. PURE."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["RoomMessage", "read_message"]


@dataclass(frozen=True, slots=True)
class RoomMessage:
    """A message to the room; ``patch`` is RFC 6902 for the stateful ones, else ``None``."""

    name: str
    patch: list[dict[str, Any]] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    room: str | None = None


def read_message(name: str, message: Mapping[str, Any], room: object) -> RoomMessage:
    """Read a message of the room leniently: a part of another type than expected counts as missing."""
    patch = message.get("statePatch")
    params = message.get("params")
    return RoomMessage(
        name,
        patch if isinstance(patch, list) else None,
        params if isinstance(params, dict) else {},
        room if isinstance(room, str) else None,
    )
