"""A room that a test describes, as a bot knows one: `RoomFacts` without a server."""

from dataclasses import replace
from typing import Final

from hangbot.bot.events import RoomSnapshot, User
from hangbot.bot.roles import Role

__all__ = ["BOT", "ROOM", "DescribedRoom"]

BOT: Final = "the-bot"
"""The bot's uid."""
ROOM: Final = "00000000-0000-4000-8000-000000000000"
"""The room's uuid, and that of its group in the chat."""


class DescribedRoom:
    """Who is in the room, and what plays there; each who is named comes in."""

    def __init__(self) -> None:
        self._snapshot = RoomSnapshot(ROOM, "The room", (User(BOT, "bot", "bot"),))
        self._numbers = 0

    def snapshot(self) -> RoomSnapshot:
        """Return the room as it is."""
        return self._snapshot

    def user(self, uuid: str) -> User | None:
        """Return a user who is in the room."""
        return next((user for user in self._snapshot.users if user.uuid == uuid), None)

    def become(self, snapshot: RoomSnapshot) -> None:
        """Be another room from now on."""
        self._snapshot = snapshot

    def enter(self, who: str | User, role: Role | None) -> User:
        """Have a user be in the room, by nickname or as a value; with a role, it has that one."""
        user = who if isinstance(who, User) else self._named(who)
        if role is not None:
            user = replace(user, room_role=role)
        others = tuple(other for other in self._snapshot.users if other.uuid != user.uuid)
        self._snapshot = replace(self._snapshot, users=(*others, user))
        return user

    def _named(self, nickname: str) -> User:
        for user in self._snapshot.users:
            if user.nickname == nickname:
                return user
        self._numbers += 1
        return User(f"user-{self._numbers}", nickname)
