"""``ctx``: what a handler of an app has in hand."""

import json
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hangbot.app.buffer import Buffer
from hangbot.app.durations import Seconds, seconds_of
from hangbot.app.knowing import in_room, until_known
from hangbot.app.names import named_for_later
from hangbot.app.room_actions import RoomActions
from hangbot.app.store import AppStore
from hangbot.app.users import uuid_of
from hangbot.bot.bot import Bot
from hangbot.bot.events import ChatMessage, Event, RoomSnapshot, User
from hangbot.bot.ports import RoomFacts
from hangbot.delivery.record import Settlement
from hangbot.delivery.store import TimerChange
from hangbot.errors import UsageError
from hangbot.ids import new_id

__all__ = ["Context", "Said", "timers_of"]

_AFTER: Final = "after/"
"""How the id of a timer that a handler set begins."""
_LATEST: Final = 10 * 366 * 86_400.0
_LARGEST_ARGUMENTS: Final = 64 * 1024

_MENTION: Final = re.compile(r"<@uid:([^<>\s]+)>")
"""A mention as it stands in the text of a line."""

logger = logging.getLogger("hangbot.app")


@dataclass(frozen=True, slots=True)
class Said:
    """What a handler said.

    Attributes:
        id: Its stable id.
        text: What.
    """

    id: str
    text: str
    _bot: Bot
    _buffer: Buffer

    async def settled(self) -> Settlement:
        """Wait until it has arrived, or was given up.

        Raises:
            UsageError: It is not written yet.
        """
        if self._buffer.holds_message(self.id):
            raise UsageError(
                "a settlement cannot be awaited before it is on disk: "
                "what a handler says is written when it ends, or at `await ctx.commit()`",
                remedy="Await `ctx.commit()` first.",
            )
        return await self._bot.settled(self.id)


class Context(RoomActions):
    """One call of a handler.

    What it says, stores and schedules is on disk together when the handler has ended, or at `commit`; where
    it raises, nothing of it is. What it does in the room (`vote`, `skip`, …) happens at once.

    Args:
        bot: The bot.
        buffer: What is to be written.
        app: The app's name.
        event: What the handler was called for: a line, or what happened in the room; ``None``: the clock,
            the start or the stop.

    Attributes:
        bot: As above.
        event: As above.
        store: What the app keeps in this room: see `hangbot.app.store.AppStore`.
    """

    def __init__(self, bot: Bot, buffer: Buffer, app: str, event: Event | ChatMessage | None = None) -> None:
        super().__init__(bot, buffer)
        self.event = event
        self.store = AppStore(buffer, bot.clock, app, f"room/{bot.chat.group_id}")
        self._app = app

    def of(self, app: str) -> "Context":
        """Return the same call as another app of this bot has it: with what that one keeps."""
        return self if app == self._app else Context(self.bot, self._buffer, app, self.event)

    @property
    def log(self) -> logging.Logger:
        """The app's log."""
        return logger.getChild(self._app)

    # -- who and where

    @property
    def message(self) -> ChatMessage:
        """The line that the handler was called for; raises `UsageError` where it was none."""
        if not isinstance(self.event, ChatMessage):
            raise UsageError("this handler was called for no line of the chat, so it has no `ctx.message`")
        return self.event

    @property
    def user(self) -> User:
        """Who wrote the line, or who came, left or voted: nickname, role, whether it is a moderator.

        Raises:
            UsageError: It was no user.
        """
        event = self.event
        if isinstance(event, ChatMessage):
            uuid, name = event.sender, event.sender_name
        else:
            found = getattr(event, "user", None)
            if isinstance(found, User):
                return found
            uuid, name = getattr(event, "uuid", None), None
        if not uuid:
            raise UsageError("this handler was called for what no user did, so it has no `ctx.user`")
        user = self.bot.facts.user(uuid)
        if user is None:
            return User(uuid, name)
        if user.nickname is None and name:  # the room's profiles come late
            return replace(user, nickname=name)
        return user

    @property
    def room(self) -> RoomSnapshot:
        """The room as it is, or as it last was: users, DJs, song, votes; empty before the first join."""
        return self.bot.facts.snapshot() or RoomSnapshot(self.bot.chat.group_id)

    def find_user(self, name: str) -> User | None:
        """Return who in the room has a nickname, a uuid, or is mentioned (``<@uid:…>``); see `find_users`."""
        return next(iter(self.find_users(name)), None)

    def find_users(self, name: str) -> list[User]:
        """Return all in the room who have a nickname (with or without ``@``): two may have the same.

        A uuid, or the mention of one as it stands in a line, is of one user alone.
        """
        users = self.room.users
        mention = _MENTION.fullmatch(name)
        uuid = mention[1] if mention else name
        wanted = name.removeprefix("@").casefold()
        return [user for user in users if user.uuid == uuid] or [
            user for user in users if (user.nickname or "").casefold() == wanted
        ]

    async def name_of(self, user: User | str) -> str:
        """Return what a user is called; profiles come late, so it waits for one, for five seconds at most.

        Args:
            user: The user, or its uuid, which is returned where no profile comes.
        """
        uuid = uuid_of(user)

        def known(facts: RoomFacts) -> bool:
            here = facts.user(uuid)
            return in_room(facts) if here is None else here.nickname is not None

        await until_known(self.bot, known)
        return (self.bot.facts.user(uuid) or (user if isinstance(user, User) else User(uuid))).name

    # -- what is written when the handler ends

    async def say(self, text: str, *, mentions: Sequence[User] = (), images: Sequence[str] = ()) -> Said:
        """Say something in the room.

        Args:
            text: What; over 900 characters it is cut into up to ten parts.
            mentions: Users who are named: where ``@nickname`` of one stands in the text, it is a mention.
            images: Addresses of pictures.

        Raises:
            UsageError: It cannot be sent as it is.
        """
        return self._said(text, mentions=mentions, images=images)

    async def reply(self, text: str, *, mentions: Sequence[User] = (), images: Sequence[str] = ()) -> Said:
        """Say something where the line came from: in the room, or to the one user alone."""
        line = self.event if isinstance(self.event, ChatMessage) else None
        to = line.sender if line is not None and line.direct else None
        return self._said(text, to=to, mentions=mentions, images=images)

    async def dm(self, user: User | str, text: str, *, images: Sequence[str] = ()) -> Said:
        """Say something to one user alone."""
        return self._said(text, to=uuid_of(user), images=images)

    def after(
        self,
        seconds: Seconds,
        handler: Callable[..., Awaitable[object]],
        *args: object,
        id: str | None = None,  # noqa: A002  as of a message
    ) -> str:
        """Have a function called later: ``async def NAME(ctx, …)``; it outlives a restart.

        Args:
            seconds: How much later; a `datetime.timedelta`, too.
            handler: A function of a module, by whose name it is found again after a restart.
            args: What it is given after its context; what JSON can hold.
            id: Of the timer: a later one with the same id stands in its place. Made by default.

        Returns:
            The timer's id, for `cancel`.

        Raises:
            UsageError: The function could not be found again, an argument is not JSON, or it is too late.
        """
        later = seconds_of(seconds, "the time until a timer")
        if not 0 <= later <= _LATEST:
            raise UsageError(f"a timer cannot be set {later:.12g} s ahead", remedy="It goes up to ten years.")
        name = named_for_later(handler, 1 + len(args))
        try:
            what = json.dumps({"handler": name, "args": args}, ensure_ascii=False, allow_nan=False)
            what.encode()
        except (TypeError, ValueError, RecursionError) as exc:
            raise UsageError(
                f"the arguments of a timer cannot be written: {exc}", remedy="Give it what JSON can hold."
            ) from None
        if len(what) > _LARGEST_ARGUMENTS:
            raise UsageError("the arguments of a timer are too long", remedy="Store them, and give the key.")
        key = id or new_id(self.bot.rng)
        due = self.bot.clock.wall() + later
        self._buffer.schedule(TimerChange(timers_of(self.bot), self._timer(key), due, what))
        return key

    def cancel(self, id: str) -> None:  # noqa: A002  as of a message
        """Take a timer back that `after` set; one that is not there is no error."""
        self._buffer.schedule(TimerChange(timers_of(self.bot), self._timer(id), None))

    def _timer(self, key: str) -> str:
        try:
            (timer := f"{_AFTER}{self._app}/{key}").encode()
        except UnicodeEncodeError:
            raise UsageError(f"the id {key[:50]!r} of a timer holds half a character") from None
        return timer

    async def commit(self) -> None:
        """Write now what was said, stored and scheduled, and that the line is handled: it is not heard again.

        Raises:
            StoreConflict: Another handler changed what this one read and changed.
            OutboxError: It could not be written; nothing of it was.
        """
        await self._buffer.commit()

    def _said(
        self, text: str, *, to: str | None = None, mentions: Sequence[User] = (), images: Sequence[str] = ()
    ) -> Said:
        message = self.bot.draft(
            text, to=to, direct=to is not None, mentions=_mentions(text, mentions), images=images
        )
        self._buffer.say(message)
        return Said(message.id, text, self.bot, self._buffer)


def timers_of(bot: Bot) -> str:
    """Return where the timers of a bot's room are."""
    return bot.chat.group_id


def _mentions(text: str, users: Sequence[User]) -> list[dict[str, object]]:
    """Return the mentions of users whose names stand in a text, as the chat has them."""
    found = []
    if isinstance(users, User) or not all(isinstance(user, User) for user in users):
        raise UsageError("the mentions are no list of users", remedy="Write `mentions=[user]`.")
    for user in users:
        start = text.find(f"@{user.name}")
        if start >= 0:
            found.append({"start": start, "userNickname": user.name, "userUuid": user.uuid})
    return found
