"""One room on the worker that owns it: its bot is started, started again, and stopped."""

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from hangbot.clock import Clock
from hangbot.delivery.retry import RetryPolicy
from hangbot.errors import HangbotError
from hangbot.exit_codes import PUT_OUT
from hangbot.fleet.folder import RoomConfig
from hangbot.fleet.leases import Leases
from hangbot.fleet.streams import Cluster
from hangbot.hangfm.permit import Permit
from hangbot.health import Conditions
from hangbot.ids import Rng

__all__ = ["KEPT", "OwnedRoom", "RoomEnd", "RoomLife", "RunRoom"]

logger = logging.getLogger("hangbot")

KEPT: Final = 20.0
"""Seconds for which a bot that may not act keeps its connections: for so long the room sees no leave."""
_STARTS_WITHIN: Final = 10.0
"""Seconds after which another bot may be started though this one is not ready."""
_SOUND_AFTER: Final = 60.0
"""Seconds after which a bot's end is not the next of several in a row."""
_AGAIN: Final = RetryPolicy(base=1.0, longest=60.0)
_SUSPENDED: Final = "the lease of this room is not known to be held: nothing is sent, done or accepted"
_REMEDY: Final = (
    "The bot goes on by itself once the worker reaches the NATS servers again; `hangbot fleet check` says "
    "what is wrong with them."
)


@dataclass(slots=True, eq=False)
class OwnedRoom:
    """What a bot is run with, once.

    Attributes:
        config: The room.
        cluster: Has its records.
        token: The number of the ownership under which it runs: the fence of the records.
        permit: Holds while the bot may act.
        say: Called with how the bot fares: ``ready``, ``queued`` and ``why``, as `Leases.say` has them.
        stop: Set by what runs the bot: called to stop it in order.
        renew: Set likewise: has the records go on under a later ownership; raises `HangbotError` where
            another worker had the room in between.
        conditions: Set likewise: where the bot says what is wrong.
        ready: Set when the bot is ready.
    """

    config: RoomConfig
    cluster: Cluster
    token: int
    permit: Permit
    say: Callable[..., None]
    stop: Callable[[], None] | None = None
    renew: Callable[[int], Awaitable[None]] | None = None
    conditions: Conditions | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class RoomEnd:
    """How a bot ended.

    Attributes:
        code: As an exit code.
        why: In words.
        is_newer: Whether the room's records were written by a version that this one cannot read.
    """

    code: int = 0
    why: str = ""
    is_newer: bool = False


RunRoom = Callable[[OwnedRoom], Awaitable[RoomEnd]]
"""Runs a room's bot until its `OwnedRoom.stop` was called, or it ends by itself; raises nothing."""


class RoomLife:
    """A room from its lease to its end on this worker.

    Args:
        config: The room.
        cluster: Has its records.
        leases: The worker's, which hold the room's.
        run_room: Runs its bot.
        settle: Called with how the bot ended when it is not to be started again, before the room is given up.
        starting: Bounds how many bots start at a time.
        clock: Measures and waits.
        rng: Draws the waits between two starts.

    Attributes:
        config: What the bot runs with, or is started with next.
        is_leaving: Whether the room is to be given up.
        end: How the bot ended the last time.
    """

    def __init__(
        self,
        config: RoomConfig,
        cluster: Cluster,
        leases: Leases,
        run_room: RunRoom,
        settle: Callable[["RoomLife", RoomEnd], Awaitable[None]],
        *,
        starting: asyncio.Semaphore,
        clock: Clock,
        rng: Rng,
    ) -> None:
        self.config = config
        self.is_leaving = False
        self.end = RoomEnd()
        self._cluster, self._leases, self._run_room, self._settle = cluster, leases, run_room, settle
        self._starting, self._clock, self._rng = starting, clock, rng
        self._owned: OwnedRoom | None = None
        self._task: asyncio.Task[RoomEnd] | None = None
        self._wake, self._over = asyncio.Event(), asyncio.Event()
        self._lapsed_at: float | None = None
        self._context = contextvars.copy_context()
        """In which it is logged of which room something is."""
        self._taken_at: float | None = leases.now()
        """When the room was taken, until its bot is ready for the first time."""

    async def run(self) -> RoomEnd:
        """Keep the bot running until the room is left, lost, or nothing that this worker should run."""
        tries = 0
        try:
            while not self.is_leaving:
                begun, config = self._clock.now(), self.config
                self.end = await self._run_once(config)
                if self.is_leaving or self.end.code == PUT_OUT or self.end.is_newer:
                    break
                if config.digest != self.config.digest:
                    continue  # it was stopped for its new configuration
                tries = 1 if self._clock.now() - begun > _SOUND_AFTER else tries + 1
                await self._pause(_AGAIN.wait_after(tries, self._rng))
            if not self.is_leaving:
                await self._settle(self, self.end)
        finally:
            await self._leases.give_up(self.config.key)
            self._over.set()
        return self.end

    @property
    def serves(self) -> bool:
        """Whether its bot has been ready, so that the room would miss it."""
        return self._owned is not None and self._owned.ready.is_set()

    async def leave(self) -> None:
        """Stop the bot in order, and give the room up."""
        self.is_leaving = True
        self._stop()
        await self._over.wait()

    def change(self, config: RoomConfig) -> None:
        """Have the bot stop, and start with another configuration of the same room."""
        self.config = config
        self._stop()

    def rename(self, name: str) -> None:
        """Have the room be known by another name of its file; its bot runs on."""
        self.config = replace(self.config, name=name)

    def lapsed(self) -> None:
        """Have the bot act no more: another worker may own the room by now."""
        if self._owned:
            self._owned.permit.withdraw()
        if self._lapsed_at is None:
            self._lapsed_at = self._leases.now()
        if self._owned and self._owned.conditions:
            self._context.run(self._owned.conditions.red, "lease", _SUSPENDED, _REMEDY)

    def resumed(self) -> None:
        """Have the bot act again."""
        self._lapsed_at = None
        if self._owned and self._owned.conditions:
            self._context.run(self._owned.conditions.clear, "lease")

    async def taken_again(self) -> None:
        """Have the bot act under a new lease; end it where another worker had the room meanwhile."""
        owned, token = self._owned, self._leases.token(self.config.key)
        if owned is None:
            self._lapsed_at = None
        elif owned.renew is None:
            self._abort()  # it has only begun, under the former lease
        else:
            try:
                await owned.renew(token)
            except HangbotError:
                self._abort()
            else:
                owned.token = token
                self.resumed()

    def lost(self) -> None:
        """End the bot at once: another worker owns the room."""
        self.is_leaving = True
        self._abort()

    def observe(self) -> None:
        """End the bot when it has not been permitted to act for too long, and not again and again."""
        if self._lapsed_at is not None and self._leases.now() - self._lapsed_at > KEPT:
            self._lapsed_at = self._leases.now()
            self.lost()

    # -- inside

    async def _run_once(self, config: RoomConfig) -> RoomEnd:
        async with self._starting:
            if self.is_leaving or config.key not in self._leases:
                return RoomEnd()
            self._owned = owned = self._make_owned(config)
            self._task = task = asyncio.ensure_future(self._run_room(owned))
            ready = asyncio.ensure_future(owned.ready.wait())
            either = asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
            try:
                await self._clock.wait_for(either, _STARTS_WITHIN)
            except TimeoutError:
                pass
            except asyncio.CancelledError:
                task.cancel()
                raise
            finally:
                ready.cancel()
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
            self._owned = self._task = None
        return RoomEnd() if task.cancelled() else task.result()

    def _make_owned(self, config: RoomConfig) -> OwnedRoom:
        leases, key = self._leases, config.key

        def holds() -> bool:
            return leases.may_act(key) and leases.token(key) == owned.token

        owned = OwnedRoom(config, self._cluster, leases.token(key), Permit(holds), self._say)
        return owned

    def _say(self, *, ready: bool, queued: int, why: str = "") -> None:
        """Have the lease say how the bot fares, and note how long the room took to be served."""
        if ready and self._taken_at is not None:
            self._leases.figures.takeover.observe(self._leases.now() - self._taken_at)
            self._taken_at = None
        self._leases.say(self.config.key, ready=ready, queued=queued, why=why)

    def _stop(self) -> None:
        self._wake.set()
        if self._owned and self._owned.stop:
            self._owned.stop()
        else:
            self._abort()

    def _abort(self) -> None:
        self._wake.set()
        if self._task:
            self._task.cancel()

    async def _pause(self, seconds: float) -> None:
        """Wait before the next start, unless something happens before."""
        room = self.config.name
        more = {"action": "bot_again", "wait_s": seconds}
        logger.warning("%s: its bot is started again in %.1f s", room, seconds, extra=more)
        self._say(ready=False, queued=0, why=self.end.why)
        self._wake.clear()
        try:
            await self._clock.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return
