"""The services alone, over a room, a chat and a courier that do as they are told, in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pytest

from hangbot.bot.app_forms import Hooks
from hangbot.bot.app_runner import AppRunner
from hangbot.bot.events import Event, RoomEvent, User, UserJoined
from hangbot.bot.options import BotOptions
from hangbot.bot.pace import reconnect_policy
from hangbot.bot.ports import Disconnect
from hangbot.bot.services import RoomKeeper
from hangbot.errors import (
    HangbotError,
    JoinRefused,
    RemovedFromRoom,
    TokenRejected,
    Unreachable,
)
from hangbot.hangfm.wire.state import RoomState
from hangbot.health import Conditions
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.loop import simulated
from tests.rng import FixedRng

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from hangbot.bot.ports import StartedAction
    from hangbot.delivery.record import OutboxRow


class Silent:
    """A bot that is to say nothing."""

    async def say(
        self, text: str, *, to: str | None = None, direct: bool = False, key: str | None = None
    ) -> Sequence[OutboxRow]:
        pytest.fail(f"said {text} to {to} ({direct}, {key})")


Heard = TypeVar("Heard")


class Ears(Generic[Heard]):
    """An app's handler that remembers."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    async def __call__(self, news: Heard) -> None:
        self.heard.append(news)


def waits_of(caplog: pytest.LogCaptureFixture) -> list[float]:
    return [record.__dict__["wait_s"] for record in caplog.records if "wait_s" in record.__dict__]


# -- the room


class Session:
    """A room connection that ends so many seconds after the join."""

    room = "room"
    joined = None
    heard_at = 0.0
    clock_offset = None

    def __init__(
        self,
        end: Disconnect,
        after: float = 0.0,
        *,
        closed: tuple[Disconnect, float] | None = None,
        events: Sequence[Event] = (),
    ) -> None:
        self.state = RoomState({"allUsers": [], "settings": {"name": "The Room"}})
        self._end, self._after = end, after
        self._closed, self.happening = closed, events

    async def welcome(self, within: float) -> bool:
        return within > 0

    async def join(self, password: str | None = None) -> RoomState:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Disconnect] = loop.create_future()
        self.closed: asyncio.Future[Disconnect] = loop.create_future()
        loop.call_later(self._after, self.ended.set_result, self._end)
        if self._closed:
            loop.call_later(self._closed[1], self.closed.set_result, self._closed[0])
        assert password is None
        return self.state

    def action(self, name: str, params: Mapping[str, Any], *, me: Callable[[], str]) -> StartedAction:
        raise NotImplementedError


class Rooms:
    """Opens one connection after the other; then none answers any more."""

    def __init__(self, visits: Sequence[Session | HangbotError]) -> None:
        self._visits = list(visits)
        self.no_more = asyncio.Event()

    @asynccontextmanager
    async def open(self, hears: Callable[[Event], None] | None) -> AsyncIterator[Session]:
        if not self._visits:
            self.no_more.set()
            await asyncio.Event().wait()
        visit = self._visits.pop(0)
        if isinstance(visit, HangbotError):
            raise visit
        if hears:
            for event in visit.happening:
                hears(event)
        yield visit


@asynccontextmanager
async def running_app(clock: SimulatedClock, hooks: Hooks | None = None) -> AsyncIterator[AppRunner]:
    """Run an app, which has handled everything when the block is left."""
    runner = AppRunner(clock, hooks or Hooks(Silent()))
    running = asyncio.create_task(runner.run(), name="app")
    yield runner
    while len(runner):  # noqa: ASYNC110  it has an event for each line of the chat alone
        await asyncio.sleep(0)
    await runner.drain(1.0)
    await running


def make_keeper(rooms: Rooms, clock: SimulatedClock, conditions: Conditions, app: AppRunner) -> RoomKeeper:
    return RoomKeeper(
        rooms.open,
        clock,
        FixedRng(1.0),
        reconnect_policy(1.0),
        options=BotOptions(),
        conditions=conditions,
        app=app,
    )


def keep(visits: Sequence[Session | HangbotError], hooks: Hooks | None = None) -> tuple[object, list[str]]:
    """Keep a room until nothing more is told to happen; return how that ended, and what is red then."""

    async def main() -> tuple[object, list[str]]:
        clock, rooms, conditions = SimulatedClock(), Rooms(visits), Conditions()
        async with running_app(clock, hooks) as app:
            keeper = make_keeper(rooms, clock, conditions, app)
            keeping = asyncio.create_task(keeper.run(), name="keeping")
            over = asyncio.create_task(rooms.no_more.wait(), name="over")
            await asyncio.wait([keeping, over], return_when=asyncio.FIRST_COMPLETED)
        red = [condition.part for condition in (*conditions.all(), *keeper.status())]
        over.cancel()
        keeping.cancel()
        (end,) = await asyncio.gather(keeping, return_exceptions=True)
        return end, red

    return simulated(main())


LOST = Disconnect("lost", "close code 1006")
RESET = Disconnect("reset")
STATE_LOST = Disconnect("state lost", "a patch does not fit")
KICKED = Disconnect("kicked")
AWAY = Unreachable("no connection", service="room")
FULL = JoinRefused("the room is full", service="room")
EXPIRED = TokenRejected("the token expired", service="room")


@pytest.mark.parametrize(
    ("visits", "waits", "red"),
    [
        pytest.param([AWAY] * 4, [1, 2, 4, 8], ["room"], id="a service that is away"),
        pytest.param([Session(LOST), AWAY, AWAY], [1, 2, 4], ["room"], id="a connection that went"),
        pytest.param([Session(LOST, 61), AWAY], [1, 2], ["room"], id="the same after a minute"),
        pytest.param([FULL] * 3, [1, 2, 4], ["room admission", "room"], id="a refused join"),
        pytest.param([FULL, Session(LOST)], [1, 1], ["room"], id="a refused join, then a good one"),
        pytest.param([EXPIRED] * 3, [60, 60, 60], ["room admission", "room"], id="a refused token"),
        pytest.param([Session(RESET)], [0], ["room"], id="a reset room is there at once"),
        pytest.param([Session(RESET) for _ in "123"], [0, 2, 4], ["room"], id="reset again and again"),
        pytest.param([Session(STATE_LOST)], [0], ["room"], id="a lost state is fetched at once"),
        pytest.param(
            [Session(STATE_LOST) for _ in "1234"], [0, 10, 20, 40], ["room state", "room"], id="lost anew"
        ),
        pytest.param(
            [Session(STATE_LOST), Session(STATE_LOST), Session(STATE_LOST, 61)],
            [0, 10, 0],
            ["room"],
            id="a state that was sound for a minute",
        ),
    ],
)
def test_how_a_connection_ends_decides_when_the_next_one_is_made_and_what_is_red(
    visits: list[Session | HangbotError], waits: list[float], red: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert keep(visits)[1] == red
    assert waits_of(caplog) == waits


@pytest.mark.parametrize(
    "visits",
    [
        pytest.param([Session(KICKED)], id="in the room"),
        pytest.param([RemovedFromRoom("the bot was kicked", service="room")], id="while it joins"),
        pytest.param(
            [Session(STATE_LOST), Session(STATE_LOST, closed=(KICKED, 5.0))], id="with a state that was lost"
        ),
    ],
)
def test_a_bot_that_a_moderator_puts_out_does_not_come_back(visits: list[Session | HangbotError]) -> None:
    end, _ = keep(visits)

    assert isinstance(end, RemovedFromRoom)


@pytest.mark.parametrize("wants", [pytest.param(True, id="wants"), pytest.param(False, id="does not want")])
def test_what_happens_in_the_room_reaches_an_app_that_wants_it(wants: bool) -> None:  # noqa: FBT001  a row
    ears = Ears[Event]()
    events: list[Event] = [UserJoined(User("ann")), RoomEvent("of a newer server")]

    keep(
        [Session(LOST, 1.0, events=events)],
        Hooks(Silent(), on_event=ears if wants else None),
    )

    assert ears.heard == events * wants


def test_the_heartbeats_of_a_connection_are_heard_while_its_state_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> float | None:
        clock = SimulatedClock()
        conditions = Conditions(clock.now)
        lost = Session(STATE_LOST)
        async with running_app(clock) as app:
            keeper = make_keeper(Rooms([Session(STATE_LOST), lost]), clock, conditions, app)
            keeping = asyncio.create_task(keeper.run(), name="keeping")
            await clock.sleep(5.0)  # of the ten until it may fetch a fresh state
            lost.heard_at = clock.now()
            keeper.observe()
            fact = conditions.facts().get("heartbeat")
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        return None if fact is None else clock.now() - fact.at

    assert simulated(main()) == pytest.approx(0.0, abs=1.0)
    assert waits_of(caplog) == [0, 10]
