"""What the bot needs of a service: a room to be in, and a chat to read.

`hangbot.hangfm` implements these; `hangbot.factory` joins the two.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from hangbot.bot.events import ChatMessage, Event, RoomSnapshot, User

__all__ = [
    "CONVERSATIONS_LISTED",
    "NO_FACTS",
    "ChatHistory",
    "ChatPush",
    "ChatReader",
    "Conversation",
    "Disconnect",
    "Moderation",
    "Newest",
    "OpenPush",
    "OpenRoom",
    "Reason",
    "RoomFacts",
    "RoomSession",
    "RoomView",
    "StartedAction",
    "Trouble",
    "Unreadable",
]

CONVERSATIONS_LISTED: Final = 50
"""Conversations on a page of their list; fewer: there is no other page."""

Reason = Literal["left", "lost", "kicked", "reset", "closed by the server", "state lost", "silent"]
"""Why a connection ended; only after ``kicked`` must the bot not connect again at once."""

Trouble = Literal["patch", "forgotten", "song"]
"""What a state is lost to: a patch that does not fit, one that took the bot out, a song that ended unsaid."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """How a room connection ended.

    Attributes:
        reason: In a word.
        detail: What is known of it.
        trouble: Where the state was lost, to what kind of trouble: a fresh one may show the same.
    """

    reason: Reason
    detail: str = ""
    trouble: Trouble = field(default="patch", compare=False)


class RoomView(Protocol):
    """The room as patches keep it. Not a copy: read it, do not change it."""

    @property
    def data(self) -> Mapping[str, Any]:
        """All of it, as the service sent it."""

    def __contains__(self, uuid: object) -> bool:
        """Return whether a user is in the room."""

    def users(self) -> Iterator[str]:
        """Yield the uuid of each user in the room."""

    def djs(self) -> list[dict[str, Any]]:
        """Return the DJ line; the first one plays now."""

    def dj(self, uuid: str) -> dict[str, Any] | None:
        """Return a user's entry in the DJ line, or ``None``."""

    def now_playing(self) -> dict[str, Any] | None:
        """Return the song that plays now and its times, or ``None``."""

    def votes(self, uuid: str) -> dict[str, Any]:
        """Return a user's votes on the song that plays now."""

    def nickname(self, uuid: str) -> str | None:
        """Return a user's nickname, or ``None`` while the profile is not known."""

    def room_name(self) -> str | None:
        """Return the room's name, or ``None``."""


class Moderation(Protocol):
    """What a bot does to users and lines by a request, at once."""

    async def kick(self, uuid: str) -> None:
        """Put a user out of the room; raises `ServiceError`."""

    async def react(self, line: int, emoji: str) -> None:
        """React to a line of the chat; raises `ServiceError`."""


class RoomFacts(Protocol):
    """What is known of the room as values, over all connections to it."""

    def snapshot(self) -> RoomSnapshot | None:
        """Return the room as it is, or as it last was; ``None`` before the first join."""

    def user(self, uuid: str) -> User | None:
        """Return a user who is in the room."""


class _NoFacts:
    """Knows nothing."""

    def snapshot(self) -> None:
        """Return ``None``."""

    def user(self, uuid: str) -> None:
        """Return ``None``."""


NO_FACTS: Final[RoomFacts] = _NoFacts()


class StartedAction(Protocol):
    """A room action: how it is sent, and how to find out what became of it."""

    async def send(self) -> None:
        """Try once; raises `ServiceError`."""

    async def find(self) -> bool:
        """Return whether an earlier attempt took effect; raises `ServiceError` where that cannot be known."""


class RoomSession(Protocol):
    """One connection to a room, from its welcome to its end. It does not reconnect."""

    @property
    def room(self) -> str:
        """The room's uuid."""

    @property
    def state(self) -> RoomView | None:
        """The room as it is, or, once `ended` is done, as it last was; ``None`` before the join."""

    @property
    def joined(self) -> Mapping[str, Any] | None:
        """The answer to the join without its state; ``None`` before the join."""

    @property
    def heard_at(self) -> float:
        """When the connection was made, or its last heartbeat came since (monotonic seconds)."""

    @property
    def clock_offset(self) -> float | None:
        """Seconds by which this machine's clock is ahead of the room's, or ``None``."""

    @property
    def ended(self) -> asyncio.Future[Disconnect]:
        """Done when the connection has ended or its state was lost, with how."""

    @property
    def closed(self) -> asyncio.Future[Disconnect]:
        """Done when the connection has ended, with how; it outlives a state that was lost."""

    async def welcome(self, within: float) -> bool:
        """Wait until the server listens; raises `ServiceError` where the connection ended before."""

    async def join(self, password: str | None = None) -> RoomView:
        """Join the room and return its state; raises `ServiceError`."""

    def action(self, name: str, params: Mapping[str, Any], *, me: Callable[[], str]) -> StartedAction:
        """Return an action of this connection, for the song that plays now; ``me`` returns the bot's uuid."""


OpenRoom = Callable[[Callable[[Event], None] | None], AbstractAsyncContextManager[RoomSession]]
"""Connects to the room, and closes the connection when its block ends.

It is given what hears everything that happens there, in order and without waiting; ``None``: nothing does.
"""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that could not be read.

    Attributes:
        where: What it stood in.
        why: What is wrong with it, and how it begins; no secret is in it.
    """

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """The room's group, or what is between the bot and one user.

    Attributes:
        name: The group's GUID, or the user's uid.
        direct: Whether it is with a user.
    """

    name: str
    direct: bool = False

    @property
    def key(self) -> str:
        """What it is called on disk: ``group_GUID`` or ``user_UID``."""
        return f"user_{self.name}" if self.direct else f"group_{self.name}"


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest row of a conversation: its id, and when it was sent (seconds since the epoch)."""

    conversation: Conversation
    id: int
    sent_at: float


class ChatReader(Protocol):
    """The chat as the bot is in it: who it is there, and how it becomes a member."""

    @property
    def uid(self) -> str | None:
        """The bot's own uid, where it is known."""

    @property
    def group_id(self) -> str:
        """The room's group: where the bot speaks by default."""

    async def me(self) -> Mapping[str, Any]:
        """Return the bot's own user; raises `ServiceError`."""

    async def join(self) -> None:
        """Become a member of the room's group; raises `ServiceError`."""


class ChatHistory(Protocol):
    """What was said in the chat, as the server has it."""

    def wrote(self, row: ChatMessage) -> bool:
        """Return whether the bot itself wrote a row."""

    async def page(
        self,
        conversation: Conversation,
        *,
        after: int | None = None,
        before: int | None = None,
        most: int = 50,
    ) -> Sequence[ChatMessage | Unreadable]:
        """Return rows of a conversation, oldest first; raises `ServiceError`.

        Args:
            conversation: Which.
            after: Only rows with a greater id, from the oldest of them on.
            before: Only rows with a smaller id, the newest of them.
            most: Page size, 1 to 100.
        """

    async def newest_by_conversation(self, page: int = 1) -> Sequence[Newest | None]:
        """Return a page of the bot's conversations, that with the newest row first; raises `ServiceError`.

        A page holds `CONVERSATIONS_LISTED`; the last one fewer. ``None`` stands for what cannot be read.
        """

    def server_time(self) -> float:
        """Return the time since the epoch as the server last gave it, or the machine's own."""


class ChatPush(Protocol):
    """An authenticated connection over which rows come as they are written. It does not reconnect."""

    @property
    def ended(self) -> asyncio.Future[Disconnect]:
        """Done when the connection has ended, with how."""

    def rows(self) -> AsyncIterator[ChatMessage | Unreadable]:
        """Yield rows as they come, of every conversation, until the connection has ended. One reader."""


OpenPush = Callable[[], AbstractAsyncContextManager[ChatPush]]
"""Opens and authenticates such a connection; closes it when its block ends; raises `ServiceError`."""
