"""What an app hears: lines of the chat and what happens in the room, free of any one service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, TypeAlias

from hangbot.bot.roles import Role, allows
from hangbot.delivery.record import OutboxRow
from hangbot.errors import UsageError

__all__ = [
    "ChatMessage",
    "DirectMessage",
    "DjAdded",
    "DjRemoved",
    "Event",
    "Joined",
    "Kicked",
    "RoomEvent",
    "RoomReset",
    "RoomSnapshot",
    "Song",
    "SongEnded",
    "SongStarted",
    "Speaker",
    "User",
    "UserJoined",
    "UserLeft",
    "VoteChanged",
    "Votes",
]


class Speaker(Protocol):
    """What says something in the chat: a bot."""

    async def say(
        self, text: str, *, to: str | None = None, direct: bool = False, key: str | None = None
    ) -> Sequence[OutboxRow]:
        """Accept a message, as `hangbot.bot.bot.Bot.say` does."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A line of the chat, by its content; ``sent_at`` in seconds since the epoch."""

    id: int
    sender: str | None
    receiver: str | None
    text: str | None
    sent_at: float
    muid: str | None = None
    category: str = "message"
    direct: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    heard_by: Speaker | None = field(default=None, repr=False, compare=False)

    def given_to(self, bot: Speaker) -> Self:
        """Return the same line as one that a bot heard: `reply` speaks through it."""
        return replace(self, heard_by=bot)

    async def reply(self, text: str, *, key: str | None = None) -> Sequence[OutboxRow]:
        """Say something where this came from: in the room's group, or to the one user alone.

        When this returns it is on disk, and will be delivered or reported.

        Args:
            text: What to say.
            key: The stable id; made by default, in a handler from this line.

        Raises:
            UsageError: No bot heard this line, or the text cannot be sent as it is.
            OutboxError: It could not be written; nothing was accepted.
        """
        if self.heard_by is None:
            raise UsageError(
                f"message {self.id} belongs to no bot; nothing was said",
                remedy="Reply to what a bot gives to its app, or call `message.given_to(bot)` first.",
            )
        if self.direct and self.sender is None:
            raise UsageError(
                f"direct message {self.id} has no sender; nothing was said",
                remedy="Name a receiver to `bot.say`.",
            )
        to = self.sender if self.direct else None  # the chat may write the group otherwise than the bot does
        return await self.heard_by.say(text, to=to, direct=self.direct, key=key)

    @property
    def sender_name(self) -> str | None:
        """The sender's name as the chat has it, or ``None``."""
        found: object = self.raw
        for key in ("data", "entities", "sender", "entity", "name"):
            if not isinstance(found, Mapping):
                return None
            found = found.get(key)
        return found if isinstance(found, str) and found else None

    @property
    def edited(self) -> bool:
        """Whether its text is not the one that was sent; a reaction is no edit (measured on OpenChat)."""
        return bool(self.raw.get("editedAt"))

    @property
    def deleted(self) -> bool:
        """Whether it was taken back: CometChat shows such rows, with their text."""
        return bool(self.raw.get("deletedAt"))


@dataclass(frozen=True, slots=True)
class DirectMessage(ChatMessage):
    """A line that a user said to the bot alone."""

    direct: bool = True


@dataclass(frozen=True, slots=True)
class User:
    """A user of the room, as the room's server has it: never by what a user writes about itself.

    Attributes:
        uuid: Who it is.
        nickname: What it is called, or ``None`` while the profile has not come.
        role: The token's role: ``user``, ``bot``, ``guest``, ``moderator``, ``admin``, …
        room_role: The role in this room: ``owner``, ``coOwner``, ``moderator``, …; ``None`` for a plain user.
    """

    uuid: str
    nickname: str | None = None
    role: str | None = None
    room_role: str | None = None

    def has_role(self, role: Role) -> bool:
        """Return whether this user may do what a role of the room may."""
        return allows(role, room_role=self.room_role, role=self.role)

    @property
    def is_moderator(self) -> bool:
        """Whether this user is a moderator of the room, or more."""
        return self.has_role("moderator")

    @property
    def name(self) -> str:
        """The nickname, or the uuid while that is not known."""
        return self.nickname or self.uuid


@dataclass(frozen=True, slots=True)
class Song:
    """A song that plays.

    Attributes:
        id: The service's id of it, where it has one.
        artist: Who made it.
        title: Its name.
        duration: Whole seconds.
        dj: The uuid of the DJ who plays it.
        play_id: The id of this playing of it, where the service has one.
        started_at: Seconds since the epoch, by the server's clock.
        raw: All that the service sent of it.
    """

    id: str | None
    artist: str | None = None
    title: str | None = None
    duration: float | None = None
    dj: str | None = None
    play_id: str | None = None
    started_at: float | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Votes:
    """How a song was voted on."""

    likes: int = 0
    dislikes: int = 0
    stars: int = 0


@dataclass(frozen=True, slots=True)
class RoomSnapshot:
    """A room at one moment.

    Attributes:
        uuid: Which room.
        name: What it is called, or ``None``.
        users: Who is in it, the bot among them where the server lists it.
        djs: The uuids of the DJs; the first one plays.
        song: What plays, or ``None``.
        votes: How it was voted on so far.
    """

    uuid: str
    name: str | None = None
    users: tuple[User, ...] = ()
    djs: tuple[str, ...] = ()
    song: Song | None = None
    votes: Votes = Votes()


@dataclass(frozen=True, slots=True)
class Joined:
    """The bot is in the room for the first time since its start; what follows comes as it happens."""

    state: RoomSnapshot


@dataclass(frozen=True, slots=True)
class UserLeft:
    """A user is no longer in the room; with ``catch_up`` this happened while the bot was away."""

    user: User
    catch_up: bool = False


@dataclass(frozen=True, slots=True)
class UserJoined:
    """A user came into the room."""

    user: User
    catch_up: bool = False


@dataclass(frozen=True, slots=True)
class DjRemoved:
    """A user is no longer in the DJ line; a line that only moves on removes no user."""

    uuid: str
    catch_up: bool = False


@dataclass(frozen=True, slots=True)
class DjAdded:
    """A user is in the DJ line."""

    uuid: str
    catch_up: bool = False


@dataclass(frozen=True, slots=True)
class SongEnded:
    """A song no longer plays; ``votes`` are the last that were known."""

    song: Song
    votes: Votes
    catch_up: bool = False


@dataclass(frozen=True, slots=True)
class SongStarted:
    """A song began to play; the same song twice in a row begins twice."""

    song: Song
    catch_up: bool = False


@dataclass(frozen=True, slots=True)
class VoteChanged:
    """The votes on the song that plays are others than before.

    Attributes:
        uuid: Who voted, or took a vote back; ``None`` where the server gave only the counts.
        like: That user's vote: ``True``, ``False`` (a dislike) or ``None``.
        star: Whether that user starred the song.
        votes: How the song stands now.
        catch_up: Whether this happened while the bot was away.
    """

    uuid: str | None
    like: bool | None
    star: bool
    votes: Votes
    catch_up: bool = False


@dataclass(frozen=True, slots=True)
class Kicked:
    """A moderator put this bot out of the room: it ends when the handlers have returned."""


@dataclass(frozen=True, slots=True)
class RoomReset:
    """The room was cleared; the bot joins it again, and what is different then follows."""


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """A message of the room that none of the other events stands for, after the state took it in.

    Attributes:
        name: The service's own name of it, known here or not.
        data: What came with it.
    """

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)


Event: TypeAlias = (
    Joined
    | UserLeft
    | UserJoined
    | DjRemoved
    | DjAdded
    | SongEnded
    | SongStarted
    | VoteChanged
    | Kicked
    | RoomReset
    | RoomEvent
)
"""What an app's ``on_event`` hears."""
