"""Room roles and what each may do.

PURE. The names are those typed in ttfm-socket 1.0.0; what a role may do is read from
what public bots and their users do with it.
"""

from typing import Final

__all__ = ["ROOM_ROLES", "is_moderator", "may_dj", "rank"]

ROOM_ROLES: Final = frozenset(
    {"moderator", "owner", "coOwner", "banned", "kicked", "chatDisabled", "djDisabled", "dj"}
)
"""The roles that a user can have in one room (``highestRole``)."""

_RANKS: Final = {"owner": 0, "coOwner": 1, "moderator": 2}
_STAFF: Final = frozenset({"globalModerator", "staff", "superUser", "admin", "moderator"})


def rank(role: str | None) -> int:
    """Place of a room role in the user lists: owner, co-owner, moderators, the rest."""
    return _RANKS.get(role or "", 3)


def is_moderator(token_role: str, room_role: str | None) -> bool:
    """Whether a user may remove other DJs, skip any song, kick and ban."""
    return room_role in _RANKS or token_role in _STAFF


def may_dj(token_role: str, room_role: str | None, dj_type: str) -> bool:
    """Whether a user may enter the DJ line of a room of that ``djType``."""
    if room_role in {"djDisabled", "banned", "kicked"}:
        return False
    return dj_type == "EVERYONE" or room_role == "dj" or is_moderator(token_role, room_role)
