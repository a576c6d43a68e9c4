"""What runs inside a bot: one service keeps the room, one delivers; `hangbot.bot.listener` reads the chat."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from hangbot.bot.app_runner import AppRunner
from hangbot.bot.options import BotOptions
from hangbot.bot.pace import ReconnectPace, ResyncPace
from hangbot.bot.ports import Disconnect, OpenRoom, RoomSession
from hangbot.clock import Clock
from hangbot.delivery.courier import Courier
from hangbot.delivery.retry import RetryPolicy
from hangbot.errors import (
    ConnectionLost,
    HangbotError,
    JoinRefused,
    RemovedFromRoom,
    TokenRejected,
    Unavailable,
)
from hangbot.figures import Figures
from hangbot.health import Condition, Conditions
from hangbot.ids import Rng

__all__ = ["Deliverer", "RoomKeeper", "Service"]

logger = logging.getLogger(__name__)

_ADMISSION: Final = "room admission"
_STATE: Final = "room state"
_CLOCK_OFF: Final = 300.0
"""Seconds by which the clocks may differ: dates and the expiry of tokens are off by as much."""
_MOVES_WITHIN: Final = 15.0
"""Seconds that one step of a message may take: an attempt has its own limit."""
_UNMOVED: Final = "Restart the bot: it goes on where it stopped. Then report these words with its log."
_SET_THE_CLOCK: Final = "Set the clock: `timedatectl set-ntp true`."
_STATE_REMEDY: Final = (
    "The bot fetches the state again by itself; where that lasts, the service is in trouble: "
    "report these words to whoever runs it."
)


class Service(Protocol):
    """A part of a running bot."""

    async def run(self) -> HangbotError | None:
        """Run until it is cancelled or has nothing left to do.

        Returns:
            Why the bot is to end, after what is on its way was finished; ``None``: it may go on.
        """

    def status(self) -> Sequence[Condition]:
        """Return what is wrong with it right now; nothing when all is well."""


class RoomKeeper:
    """Stays in the room: connects, joins, and again after each loss, waiting longer each time.

    Args:
        open_room: Opens a room connection.
        clock: Measures and waits.
        rng: Draws the waits.
        policy: How long to wait before the next connection.
        options: How long the server's welcome is waited for.
        conditions: Given what is wrong and lasts.
        app: Given what happens in the room.
        figures: Count the connections and states that are lost.

    Attributes:
        session: The joined connection, or ``None`` while there is none. One whose state was lost stays
            until another has joined, so that the old state can be read.
        in_room: Set while the bot is in the room.
    """

    def __init__(
        self,
        open_room: OpenRoom,
        clock: Clock,
        rng: Rng,
        policy: RetryPolicy,
        *,
        options: BotOptions,
        conditions: Conditions,
        app: AppRunner,
        figures: Figures | None = None,
    ) -> None:
        self.session: RoomSession | None = None
        self.in_room = asyncio.Event()
        self._open_room = open_room
        self._clock = clock
        self._pace = ReconnectPace(policy, rng)
        self._resyncs = ResyncPace()
        self._conditions = conditions
        self._app = app
        self._figures = figures or Figures()
        self._welcome_timeout = options.welcome_timeout
        self._cause = "it has not joined yet"
        self._remedy = ConnectionLost.remedy

    def status(self) -> Sequence[Condition]:
        """Return why the bot is not in the room; nothing while it is."""
        if self.in_room.is_set():
            return ()
        return (Condition("room", f"not in the room ({self._cause})", self._remedy),)

    def nickname(self, uuid: str) -> str | None:
        """Return what a user is called in the room, where that is known."""
        state = self.session.state if self.session else None
        return state.nickname(uuid) if state else None

    def observe(self) -> None:
        """Say when the room was heard last, and how its clock and this machine's agree."""
        session = self.session
        if session is None or session.closed.done():
            return
        self._conditions.good("heartbeat", at=session.heard_at)
        offset = session.clock_offset
        if offset is None or abs(offset) <= _CLOCK_OFF:
            self._conditions.good("clock")
        else:
            word = "ahead of" if offset > 0 else "behind"
            sentence = f"this machine's clock is {abs(offset):.0f} s {word} the room server's"
            self._conditions.bad("clock", sentence, _SET_THE_CLOCK)

    async def run(self) -> RemovedFromRoom:
        """Be in the room until a moderator puts the bot out."""
        self._say_lost()
        while True:
            end, error = await self._one_connection()
            if end.reason == "kicked":
                return RemovedFromRoom("a moderator put the bot out of the room", service="room")
            self._pace.left(self._clock.now())
            if end.reason == "state lost":
                self._figures.resyncs.count(end.trouble)
                continue  # now: the room sees no leave for 20 s
            self._figures.reconnects.count("room", type(error).__name__ if error else end.reason)
            self._cause = f"{end.reason}, {end.detail}" if end.detail else end.reason
            self._remedy = error.remedy if error else ConnectionLost.remedy
            self._say_lost()
            refused = isinstance(error, TokenRejected)
            wait = self._pace.next_wait(reset=end.reason == "reset", refused=refused)
            more = {"action": "room_lost", "wait_s": wait}
            logger.warning("[SOCKET] not in the room (%s): next try in %.1f s", self._cause, wait, extra=more)
            await self._clock.sleep(wait)

    async def _one_connection(self) -> tuple[Disconnect, HangbotError | None]:
        """Connect, join and stay; return how that ended, and the error where there was one."""
        end = Disconnect("left")
        try:
            hears = self._app.offer_event if self._app.hears_events else None
            async with self._open_room(hears) as session:
                await session.welcome(self._welcome_timeout)
                await session.join()
                self._pace.joined(self._clock.now())
                end = await self._stay(session)
                if end.reason == "state lost":
                    end = await self._stay_without_state(session, end)
        except RemovedFromRoom as exc:
            end = Disconnect("kicked", str(exc))
        except HangbotError as exc:  # whatever a service says: it may say something else the next time
            end = Disconnect("lost", str(exc))
            if isinstance(exc, TokenRejected | JoinRefused):  # nothing that passes by itself
                self._conditions.red(_ADMISSION, str(exc), exc.remedy)
            return end, exc
        finally:
            if end.reason != "state lost":
                self.session = None
            self.in_room.clear()
        return end, None

    async def _stay(self, session: RoomSession) -> Disconnect:
        self.session = session
        self.in_room.set()
        self._conditions.clear(_ADMISSION)
        self._conditions.good("room")
        name = session.state.room_name() if session.state else None
        logger.info("[SOCKET] joined %s", name or session.room, extra={"action": "room_joined"})
        try:
            return await self._clock.wait_for(asyncio.shield(session.ended), self._resyncs.sound_after)
        except TimeoutError:
            self._resyncs.succeed()
            self._conditions.clear(_STATE)
        return await asyncio.shield(session.ended)

    async def _stay_without_state(self, session: RoomSession, lost: Disconnect) -> Disconnect:
        """Stay in the room with a lost state until a fresh one may be fetched; return how that ended."""
        wait = self._resyncs.next_wait(lost.trouble)
        if wait:
            sentence = f"the state of the room is lost again ({lost.detail})"
            self._conditions.red(_STATE, sentence, _STATE_REMEDY)
        else:
            self.in_room.clear()
        more = {"action": "room_lost", "wait_s": wait}
        logger.warning("[SOCKET] state lost (%s): a fresh one in %.1f s", lost.detail, wait, extra=more)
        try:
            return await self._clock.wait_for(asyncio.shield(session.closed), wait)
        except TimeoutError:
            return lost

    def _say_lost(self) -> None:
        self._conditions.bad("room", f"not in the room ({self._cause})", self._remedy)


class Deliverer:
    """Delivers what the bot says.

    Args:
        courier: Does so.
        clock: Measures how long the chat has been down.
        conditions: Given what is wrong and lasts.
    """

    def __init__(self, courier: Courier, clock: Clock, conditions: Conditions) -> None:
        self._courier = courier
        self._clock = clock
        self._conditions = conditions

    @property
    def reason(self) -> str:
        """What the chat's last failure said."""
        return self._courier.breaker.reason

    @property
    def down_for(self) -> float | None:
        """Seconds since the chat counts as down, or ``None`` while it works."""
        since = self._courier.breaker.since
        return None if since is None else self._clock.now() - since

    def status(self) -> Sequence[Condition]:
        """Return how long the chat has been down; nothing while it works."""
        if (down := self.down_for) is None:
            return ()
        sentence = f"the chat has been down for {down:.0f} s ({self.reason})"
        return (Condition("sending", sentence, Unavailable.remedy),)

    def observe(self) -> None:
        """Say whether what is due moves; whether the chat takes it, its throttle says."""
        down_since, unmoved_since = self._courier.breaker.since, self._courier.movement.unmoved_since()
        unmoved = 0.0 if unmoved_since is None else self._clock.now() - unmoved_since
        if down_since is not None and unmoved_since is not None:
            sentence = "what is said waits until the chat takes it"
            self._conditions.bad("delivery", sentence, Unavailable.remedy, since=down_since)
        elif unmoved > _MOVES_WITHIN:
            sentence = f"the oldest message that is due has not moved for {unmoved:.0f} s"
            self._conditions.bad("delivery", sentence, _UNMOVED, since=unmoved_since)
        else:
            self._conditions.clear("delivery")
            self._conditions.good("delivery")

    async def run(self) -> None:
        """Deliver until it is stopped, and what is on its way then has ended."""
        await self._courier.run()

    def stop(self) -> None:
        """Begin no further message."""
        self._courier.stop()
