"""A real bot that is never run: what it accepts is in memory, what it does is recorded."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from hangbot.bot.bot import Bot, BotOptions
from hangbot.bot.events import ChatMessage
from hangbot.bot.ledger import Ledger
from hangbot.bot.ports import Conversation, Disconnect, Newest, RoomSession, Unreadable
from hangbot.clock import Clock
from hangbot.config import Settings
from hangbot.config.core import send_policy
from hangbot.delivery.inbox import Inbox
from hangbot.delivery.message import Outgoing
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.record import OutboxRow, Settlement
from hangbot.delivery.retrier import Retrier
from hangbot.delivery.store import Store
from hangbot.errors import UsageError
from hangbot.factory.bot import make_courier
from hangbot.hangfm.wire.actions import check_name
from hangbot.ids import Rng
from hangbot.testing.recording import Recording
from hangbot.testing.room import BOT, ROOM, DescribedRoom

__all__ = ["UnrunBot"]


class UnrunBot(Bot):
    """A bot for one call of a handler.

    Args:
        settings: How it behaves.
        outbox: Has what it accepts, and what apps keep.
        room: Where it is.
        clock: Its time.
        rng: Makes its ids.

    Attributes:
        recording: What it said and did.
    """

    def __init__(
        self, settings: Settings, outbox: Outbox, room: DescribedRoom, clock: Clock, rng: Rng
    ) -> None:
        self.recording = Recording()
        self._outbox = outbox
        self._session = _Session(ROOM, self.recording)
        chat = _Chat(ROOM, clock)
        super().__init__(
            BotOptions(name=settings.bot_name),
            chat=chat,
            history=chat,
            open_push=_never,
            ledger=Ledger(Inbox(outbox.place, clock), chat, chat),
            courier=make_courier(settings, outbox, _Nowhere(), clock=clock, rng=rng),
            open_room=_never,
            check_action=check_name,
            retrier=Retrier(send_policy(settings), clock, rng),
            notify=lambda _: None,
            reconnects=send_policy(settings),
            facts=room,
            store=Store(outbox.place, clock),
            moderation=_Moderation(self.recording),
        )

    @property
    def room(self) -> RoomSession:
        """A connection that is there and records."""
        return self._session

    async def say(
        self, text: str, *, to: str | None = None, direct: bool = False, key: str | None = None
    ) -> list[OutboxRow]:
        """Accept a message, past what the handler's end writes; see `Bot.say`."""
        rows = await super().say(text, to=to, direct=direct, key=key)
        first = rows[0].message
        self.recording.messages.append(Outgoing(first.id, first.to, text, direct))
        return rows

    async def settled(self, key: str) -> Settlement:
        """Return how an accepted message ended: it arrives at once; raises `UnknownMessage`."""
        row = await self._outbox.get(key)
        end = row.end or Settlement("delivered", 1, 1)
        if row.end is None:
            await self._outbox.settle(key, end, (), self.clock.wall())
        return end

    async def run(self) -> None:
        """Refuse to run."""
        _never()


def _never(*_: object) -> NoReturn:
    raise UsageError(
        "this bot is for handlers that a test calls as plain functions; it is not run",
        remedy="Put the app into a room: `bot = await hangfm_app(app)`.",
    )


class _Chat:
    """A chat without a line, as a `ChatReader` and a `ChatHistory`."""

    uid = BOT

    def __init__(self, group_id: str, clock: Clock) -> None:
        self.group_id = group_id
        self._clock = clock

    async def me(self) -> Mapping[str, Any]:
        return {"uid": self.uid}

    async def join(self) -> None:
        pass

    def wrote(self, row: ChatMessage) -> bool:
        return row.sender == self.uid

    async def page(
        self,
        conversation: Conversation,  # noqa: ARG002  the protocol's, as the next ones
        *,
        after: int | None = None,  # noqa: ARG002
        before: int | None = None,  # noqa: ARG002
        most: int = 50,  # noqa: ARG002
    ) -> Sequence[ChatMessage | Unreadable]:
        return ()

    async def newest_by_conversation(self, page: int = 1) -> Sequence[Newest | None]:  # noqa: ARG002  the protocol's
        return ()

    def server_time(self) -> float:
        return self._clock.wall()


class _Nowhere:
    """Takes no message, and is given none, since nothing delivers."""

    async def probe(self) -> None:
        _never()

    async def send(self, message: Outgoing) -> object:  # noqa: ARG002  the protocol's
        _never()

    async def find(self, message: Outgoing) -> bool:  # noqa: ARG002  the protocol's
        _never()


class _Moderation:
    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    async def kick(self, uuid: str) -> None:
        self._recording.do("kick", uuid=uuid)

    async def react(self, line: int, emoji: str) -> None:
        self._recording.do("react", line=line, emoji=emoji)


class _Session:
    """A room connection that lasts, and on which every action is acknowledged unless it is to fail."""

    state = None
    joined = None
    clock_offset = None
    heard_at = 0.0

    def __init__(self, room: str, recording: Recording) -> None:
        self.room = room
        self._recording = recording

    @property
    def ended(self) -> asyncio.Future[Disconnect]:
        return asyncio.get_running_loop().create_future()

    closed = ended

    async def welcome(self, within: float) -> bool:  # noqa: ARG002  the protocol's
        return True

    async def join(self, password: str | None = None) -> NoReturn:  # noqa: ARG002  the protocol's
        _never()

    def action(self, name: str, params: Mapping[str, Any], *, me: Callable[[], str]) -> "_Started":  # noqa: ARG002  the protocol's
        return _Started(name, params, self._recording)


class _Started:
    def __init__(self, name: str, params: Mapping[str, Any], recording: Recording) -> None:
        self._name = name
        self._params = params
        self._recording = recording

    async def send(self) -> None:
        self._recording.do(self._name, **self._params)

    async def find(self) -> bool:
        return False
