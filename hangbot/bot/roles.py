"""What a role allows. PURE.

The names are the room server's, as its documents list them (`tokenRole`, `highestRole`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

__all__ = ["ROLES", "Role", "allows"]

Role = Literal["moderator", "coOwner", "owner"]
"""A role in a room; each may do what the ones before it may."""

ROLES: Final[tuple[Role, ...]] = get_args(Role)

_RANKS: Final[Mapping[str, int]] = MappingProxyType({role: rank for rank, role in enumerate(ROLES, 1)})
_STAFF: Final[Mapping[str, int]] = MappingProxyType(
    {"moderator": 1, "globalModerator": len(ROLES), "staff": len(ROLES), "admin": len(ROLES)}
)
"""Roles of the whole service, and up to which role in a room they go."""


def allows(needed: Role, *, room_role: str | None, role: str | None) -> bool:
    """Return whether a role in the room and one of the service allow what a role allows."""
    return max(_RANKS.get(room_role or "", 0), _STAFF.get(role or "", 0)) >= _RANKS[needed]
