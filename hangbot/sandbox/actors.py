"""What people of the sandbox do, seen by every connected client."""

from collections.abc import Iterator
from typing import Any, Final

from hangbot.sandbox.chat.server import ChatService
from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.people import People, Person
from hangbot.sandbox.room import songs
from hangbot.sandbox.room.broadcast import Broadcaster
from hangbot.sandbox.room.room import Room
from hangbot.sandbox.room.rooms import Rooms

__all__ = ["Actor", "Users"]

_HOLD: Final = "actor"


class Actor:
    """A person that acts without a client of its own.

    A refusal by the room raises ``ActionRefused``, one by the chat ``ChatRefusal``.

    Args:
        uid: The person's uid.
        people: All users.
        rooms: The rooms.
        broadcaster: Shows clients what happens in a room.
        chat: The chat service.
        clock: The sandbox's clock.
    """

    def __init__(
        self,
        uid: str,
        people: People,
        rooms: Rooms,
        broadcaster: Broadcaster,
        chat: ChatService,
        *,
        clock: SandboxClock,
    ) -> None:
        self.uid = uid
        self._people = people
        self._rooms = rooms
        self._broadcaster = broadcaster
        self._chat = chat
        self._clock = clock
        self._songs = 0

    @property
    def person(self) -> Person:
        """The person with the present profile."""
        return self._people.get(self.uid)

    @property
    def nickname(self) -> str:
        """The name that others see."""
        return self.person.nickname

    @property
    def token(self) -> str:
        """The JWT for room socket and gateway."""
        return self.person.token

    @property
    def chat_token(self) -> str:
        """The chat token."""
        return self.person.chat_token

    async def join(self, room: Room | None = None) -> None:
        """Enter a room and its chat group; a client of that user may be there, too."""
        room = room or self._rooms.first
        room.presence.admit(self.person, room.presence.password, room.presence.guest_password)
        # The chat first: a person that its group refuses does not enter the room either.
        await self._chat.join(self.person, room.uuid)
        self._broadcaster.broadcast(room, room.presence.enter(self.person, _HOLD))

    async def leave(self, room: Room | None = None) -> None:
        """Leave a room at once (unless a client of that user stays) and its chat group."""
        room = room or self._rooms.first
        room.presence.release(self.uid, _HOLD)
        if not room.presence.is_held(self.uid):
            self._broadcaster.broadcast(room, room.presence.leave(self.uid, self._clock.now_ms()))
        await self._chat.leave(self.person, room.uuid)

    async def say(self, text: str, room: Room | None = None) -> dict[str, Any]:
        """Write into the room's chat; returns the stored message."""
        return await self._chat.say(self.person, (room or self._rooms.first).uuid, text)

    async def dm(self, to: str, text: str) -> dict[str, Any]:
        """Write to one user; returns the stored message."""
        return await self._chat.dm(self.person, to, text)

    async def edit(self, number: int, text: str) -> None:
        """Change the text of a message that this user has sent."""
        await self._chat.edit(self.person, number, text)

    async def delete(self, number: int) -> None:
        """Take back a message that this user has sent."""
        await self._chat.delete(self.person, number)

    async def vote(
        self, *, like: bool | None = None, star: bool | None = None, room: Room | None = None
    ) -> None:
        """Vote on the playing song; ``like=False`` is a downvote."""
        votes = {name: given for name, given in (("like", like), ("star", star)) if given is not None}
        room = room or self._rooms.first
        self._broadcaster.broadcast(room, room.votes.cast(self.uid, votes))

    async def dj(self, song: dict[str, Any] | None = None, room: Room | None = None) -> None:
        """Enter the DJ line with a song (one is made up if none is given)."""
        room = room or self._rooms.first
        self._broadcaster.broadcast(
            room, room.stage.add_dj(self.uid, song or self._song(), self._clock.now_ms())
        )

    async def next_song(self, song: dict[str, Any] | None = None, room: Room | None = None) -> None:
        """Set the song to play next (one is made up if none is given)."""
        room = room or self._rooms.first
        self._broadcaster.broadcast(
            room, room.stage.update_next_song(self.uid, song or self._song(), self._clock.now_ms())
        )

    async def step_down(self, room: Room | None = None) -> None:
        """Leave the DJ line."""
        room = room or self._rooms.first
        self._broadcaster.broadcast(room, room.stage.remove_dj(self.uid, None, self._clock.now_ms()))

    async def skip(self, room: Room | None = None) -> None:
        """Skip the playing song."""
        room = room or self._rooms.first
        self._broadcaster.broadcast(room, room.stage.skip(self.uid, self._clock.now_ms()))

    async def jump(self, room: Room | None = None) -> None:
        """Jump."""
        room = room or self._rooms.first
        self._broadcaster.broadcast(room, room.animate(self.uid, "jump", None))

    async def emoji(self, emoji: str, room: Room | None = None) -> None:
        """Show an emoji."""
        room = room or self._rooms.first
        self._broadcaster.broadcast(room, room.animate(self.uid, "emoji", emoji))

    def _song(self) -> dict[str, Any]:
        self._songs += 1
        return songs.default_song(self._songs)


class Users:
    """The people of a sandbox as actors.

    Args:
        people: All users.
        rooms: The rooms.
        broadcaster: Shows clients what happens in a room.
        chat: The chat service.
        clock: The sandbox's clock.
    """

    def __init__(
        self, people: People, rooms: Rooms, broadcaster: Broadcaster, chat: ChatService, clock: SandboxClock
    ) -> None:
        self._people = people
        self._rooms = rooms
        self._broadcaster = broadcaster
        self._chat = chat
        self._clock = clock
        self._actors: dict[str, Actor] = {}

    def __iter__(self) -> Iterator[Actor]:
        return iter([self.get(person.uid) for person in self._people])

    def __len__(self) -> int:
        return len(self._people)

    def add(
        self, nickname: str, role: str = "user", *, room_role: str | None = None, uid: str | None = None
    ) -> Actor:
        """Add a user, perhaps with a role in the first room; it is in no room yet.

        Raises:
            ValueError: A role is unknown, the nickname is empty, or the uid is taken.
        """
        person = self._people.add(nickname, role=role, uid=uid)
        if room_role is not None:
            self.set_role(person.uid, room_role)
        return self.get(person.uid)

    def set_role(self, uid: str, room_role: str | None) -> None:
        """Give a user, or the bot, a role in the first room, as everyone there sees it; ``None`` takes it.

        Raises:
            ValueError: The role is unknown.
        """
        room = self._rooms.first
        self._broadcaster.broadcast(room, room.moderation.set_role(uid, room_role))

    def get(self, uid: str) -> Actor:
        """Return the actor of a user.

        Raises:
            KeyError: There is no such user.
        """
        if uid not in self._actors:
            uid = self._people.get(uid).uid
            self._actors[uid] = Actor(
                uid, self._people, self._rooms, self._broadcaster, self._chat, clock=self._clock
            )
        return self._actors[uid]
