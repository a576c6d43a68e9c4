"""What a test of a hangbot app has of its bot: a person to talk to it, and time that is its own."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from hangbot.app.durations import Seconds, period
from pytest_hangfm.room_log import RoomLog
from pytest_hangfm.simulation.world import World

if TYPE_CHECKING:
    from hangbot.sandbox import Actor, Sandbox

__all__ = ["AppBot"]

_READY_WITHIN: Final = 120.0
_LOOKS_EVERY: Final = 0.1


class AppBot:
    """A hangbot app in a room, whose time passes only while the test waits.

    Attributes:
        uid: The bot's uid.
        user: A person in the room, who says, votes, plays songs and leaves.
        sandbox: The service that it is on.
        room_log: What is said there.
    """

    def __init__(self, world: World, user: Any) -> None:  # noqa: ANN401  an actor, or one around it
        self.uid = world.sandbox.bot.uid
        self.user: Actor = user
        self.sandbox: Sandbox = world.sandbox
        self.room_log = RoomLog(world.sandbox)
        self._world = world

    async def expect(self, text: str, *, direct: bool = False, within: float = 30.0) -> Mapping[str, Any]:
        """Return the bot's next message that holds a text; fail the test where there is none in time.

        Args:
            text: What it holds.
            direct: Whether it is to one user alone.
            within: Virtual seconds.
        """
        __tracebackhide__ = True
        return await self.room_log.expect(text, from_=self.uid, direct=direct, within=within)

    async def expect_silence(self, text: str, *, for_: float = 30.0, direct: bool = False) -> None:
        """Fail the test when the bot says something within so many virtual seconds."""
        __tracebackhide__ = True
        await self.room_log.expect_silence(text, for_=for_, from_=self.uid, direct=direct)

    @property
    def texts(self) -> list[str]:
        """All that the bot has said, oldest first."""
        return self.room_log.texts(self.uid)

    async def advance(self, *, seconds: Seconds = 0.0, minutes: float = 0.0, hours: float = 0.0) -> None:
        """Let time pass for the bot, its services and everybody in the room."""
        await asyncio.sleep(period("advance", seconds, minutes, hours))

    async def restart(self, *, away: float = 1.0) -> None:
        """Crash the bot's process where it stands, start another on the same disk, and wait for it.

        Args:
            away: Virtual seconds between the two.
        """
        __tracebackhide__ = True
        await self._world.keeper.crash(away=away)
        await ready(self._world)

    def inject(self, on: str, do: str, **options: Any) -> None:  # noqa: ANN401  as of the sandbox's faults
        """Arm a fault of the sandbox: ``bot.inject("chat.send", "cut_after_store")``."""
        self.sandbox.faults.add(on, do, **options)


async def ready(world: World) -> None:
    """Wait until the bot is ready, for two minutes at most."""
    loop, keeper = asyncio.get_running_loop(), world.keeper
    until = loop.time() + _READY_WITHIN
    while loop.time() < until and not (keeper.bot and keeper.bot.health().ready):  # noqa: ASYNC110  virtual
        await asyncio.sleep(_LOOKS_EVERY)
