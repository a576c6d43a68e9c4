"""The services alone, over a room, a chat and a courier that do as they are told."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from hangbot.bot.app import AppRunner
from hangbot.bot.events import ChatMessage, RoomEvent
from hangbot.bot.listener import ChatListener
from hangbot.bot.options import BotOptions
from hangbot.bot.ports import Disconnect
from hangbot.bot.services import RoomKeeper
from hangbot.delivery.retry import RetryPolicy
from hangbot.hangfm.wire.state import RoomState
from hangbot.health import Conditions
from pytest_hangfm.manual_clock import ManualClock
from tests.bounds import WITHIN
from tests.rng import FixedRng

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from hangbot.bot.ports import StartedAction
    from hangbot.delivery.courier import Courier

NICKNAMES = {"bob": "Bobby"}


class Look:
    """What a look at the chat found."""

    def __init__(self, *lines: ChatMessage) -> None:
        self.lines: Sequence[ChatMessage] = lines
        self.more = False


class Chat:
    """A chat in which these lines are new at the first look; it is its own feed and courier."""

    uid = "bot"
    group_id = "room"

    def __init__(self, *lines: ChatMessage) -> None:
        self._looks = [Look(*lines)]

    async def me(self) -> Mapping[str, Any]:
        return {"uid": "its-own-id"}

    async def join(self) -> None:
        pass

    async def begin(self) -> int:
        return 6

    async def look(self) -> Look:
        return self._looks.pop() if self._looks else Look()

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        yield


class Session:
    """A room connection in which these things happen."""

    room = "room"
    joined = None

    def __init__(self, *events: RoomEvent) -> None:
        self.state = RoomState({"allUsers": [], "settings": {"name": "The Room"}})
        self.ended: asyncio.Future[Disconnect] = asyncio.get_running_loop().create_future()
        self.closed = self.ended
        self.all_seen = asyncio.Event()
        self._events = events

    async def welcome(self, within: float) -> bool:
        return within > 0

    async def join(self, password: str | None = None) -> RoomState:
        assert password is None
        return self.state

    def action(self, name: str, params: Mapping[str, Any], *, me: Callable[[], str]) -> StartedAction:
        raise NotImplementedError

    async def events(self) -> AsyncIterator[RoomEvent]:
        for event in self._events:
            yield event
        self.all_seen.set()


class Ears:
    """An app's handler that remembers."""

    def __init__(self) -> None:
        self.heard: list[ChatMessage | RoomEvent] = []

    async def __call__(self, news: ChatMessage | RoomEvent) -> None:
        self.heard.append(news)


async def never(_: str) -> None:
    pytest.fail("nothing is to be said")


async def test_what_others_say_reaches_the_app_and_of_a_direct_message_only_its_length_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines = (
        ChatMessage(7, "ann", "bot", "for your eyes only", 0.0, direct=True),
        ChatMessage(8, "ann", "room", None, 0.0),
        ChatMessage(9, "bob", "room", "hello", 0.0),
        ChatMessage(10, None, "room", "nobody's", 0.0),
    )
    own = [ChatMessage(number, uid, "room", "mine", 0.0) for number, uid in ((11, "bot"), (12, "its-own-id"))]
    clock, ears, chat = ManualClock(), Ears(), Chat(*lines, *own)
    caplog.set_level(logging.INFO, "hangbot.bot")
    listener = ChatListener(
        chat,
        chat,
        cast("Courier", chat),
        clock,
        FixedRng(1.0),
        RetryPolicy(),
        options=BotOptions(),
        conditions=Conditions(),
        app=AppRunner(clock, None, never, ears),
        nickname=NICKNAMES.get,
    )

    before = listener.status()
    reading = asyncio.create_task(listener.run(), name="reading")
    async with asyncio.timeout(WITHIN):
        await clock.next_wait()
    reading.cancel()

    assert [each.sentence for each in before] == ["the chat is not read (it has not asked yet)"]
    assert listener.status() == ()
    assert ears.heard == [*lines]
    assert [line for line in caplog.messages if "HEARD" in line] == [
        "[HEARD] ann, to the bot alone: 18 characters",
        "[HEARD] ann: (message, without text)",
        "[HEARD] Bobby: hello",
        "[HEARD] ?: nobody's",
    ]


@pytest.mark.parametrize("wants", [True, False])
async def test_what_happens_in_the_room_reaches_an_app_that_wants_it(wants: bool) -> None:  # noqa: FBT001  a row
    clock, ears = ManualClock(), Ears()
    session = Session(RoomEvent("userJoined", {"uuid": "ann"}), RoomEvent("of a newer server"))

    @asynccontextmanager
    async def open_room() -> AsyncIterator[Session]:
        yield session

    keeper = RoomKeeper(
        open_room,
        clock,
        FixedRng(1.0),
        RetryPolicy(),
        options=BotOptions(),
        conditions=Conditions(),
        app=AppRunner(clock, None, never, ears, ears if wants else None),
    )
    keeping = asyncio.create_task(keeper.run(), name="keeping")
    async with asyncio.timeout(WITHIN):
        await keeper.in_room.wait()
        if wants:
            await session.all_seen.wait()
        session.ended.set_result(Disconnect("kicked"))
        end = await keeping

    assert ears.heard == [RoomEvent("userJoined", {"uuid": "ann"}), RoomEvent("of a newer server")] * wants
    assert "a moderator" in str(end)
