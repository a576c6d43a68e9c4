"""What a test has in a simulated world in the place of the plugin's fixtures, and what it does there."""

import asyncio
import copy
import inspect
import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NoReturn

import pytest

from hangbot import AnyApp, HangbotError
from hangbot.sandbox import Actor
from hangbot.text import one_line
from pytest_hangfm.room_log import RoomLog
from pytest_hangfm.simulation.app_bot import AppBot, ready
from pytest_hangfm.simulation.world import World

__all__ = ["OFFERED", "CannotBeSimulatedError", "SimulatedBot", "Visitor", "in_words"]

_LONGEST: Final = 3600.0
"""Virtual seconds that a test may take in a world in which things go wrong."""
_MOST: Final = 400
"""Characters of what a test raised."""


class CannotBeSimulatedError(Exception):
    """A test that asks a simulation for what it has not; it would in every world."""


def in_words(error: BaseException) -> str:
    """Return what was raised as a line: of an assertion its own words, or what it compared."""
    first = str(error).strip().partition("\n")[0]
    says_it = first and isinstance(error, AssertionError | pytest.fail.Exception)
    return one_line(first if says_it else f"{type(error).__name__}: {first}", _MOST)


class SimulatedBot:
    """What a test is given of its bot, whose process may end at any time, and another one begin.

    Attributes:
        uid: The bot's uid.
    """

    def __init__(self, uid: str) -> None:
        self.uid = uid

    @property
    def chat(self) -> "SimulatedBot":
        """What has the bot's uid."""
        return self

    def __getattr__(self, name: str) -> NoReturn:
        raise CannotBeSimulatedError(
            f"bot.{name}: in a simulation the test is no part of the bot's process, which may crash: "
            "what the bot is to do, its app has to do"
        )


class Visitor:
    """Runs a test once in a world.

    Args:
        test: The test's coroutine function.
        values: Its arguments, those of this plugin apart.
        wanted: The fixtures of this plugin that it asks for, all of them in `OFFERED`.
        longest: Virtual seconds that it may take.

    Attributes:
        failure: When it failed, in virtual seconds, and with what; ``None``: it passed.
        raised: What it failed with.
        impossible: Why it cannot be simulated; ``None``: it can.
        skipped: What it skipped itself with.
    """

    def __init__(
        self,
        test: Callable[..., Awaitable[None]],
        values: Mapping[str, object],
        wanted: tuple[str, ...],
        longest: float = _LONGEST,
    ) -> None:
        self.failure: tuple[float, str] | None = None
        self.raised: BaseException | None = None
        self.impossible: str | None = None
        self.skipped: BaseException | None = None
        self._test = test
        self._values = values
        self._wanted = wanted
        self._longest = longest
        self._has_bot = False

    async def visit(self, world: World) -> None:
        """Run the test; what it raises is kept, and the world goes on.

        Raises:
            CannotBeSimulatedError: It is kept as well, and ends the world.
        """
        limit = asyncio.timeout(self._longest)
        try:
            given = {name: await OFFERED[name](self, world) for name in self._wanted}
            async with limit:
                await self._test(**self._values, **given)
        except CannotBeSimulatedError as exc:
            self.impossible = str(exc)
            raise
        except pytest.skip.Exception as exc:
            self.skipped = exc
        except (Exception, pytest.fail.Exception) as exc:  # noqa: BLE001  kept, and judged with the rest
            took_long = f"the test had not ended after {self._longest:g} s" if limit.expired() else ""
            self.failure, self.raised = (world.recorder.now, took_long or self._placed(exc)), exc
        if not (self._has_bot or self.failure or self.skipped):
            self.impossible = "this test opens no bot: await hangfm_app(app), or hangfm_open_bot(app=…)"
            raise CannotBeSimulatedError(self.impossible)

    def _placed(self, error: BaseException) -> str:
        """Return what was raised, and the line of the test's own file that led to it."""
        file = inspect.getfile(self._test)
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == file]
        where = f"{Path(file).name}:{lines[-1]}: " if lines else ""
        return f"{where}{in_words(error)}"

    async def open_bot(self, world: World, app: AnyApp | None, changes: Mapping[str, object]) -> SimulatedBot:
        """Have the world's bot begin with an app, and wait until it is ready, for two minutes at most.

        Raises:
            CannotBeSimulatedError: There is a bot already, there is no app, or none of it can be copied.
        """
        if self._has_bot:
            raise CannotBeSimulatedError("a simulated world has one bot, and this test opens a second one")
        if app is None or {"run", "clock"} & set(changes):
            raise CannotBeSimulatedError(
                "in a simulation a bot has an app, runs, and has the world's clock: hangfm_open_bot(app=…)"
            )
        self._has_bot = True
        as_given, keeper = _copied(app), world.keeper
        try:
            keeper.settings = keeper.settings.with_changes(**changes)
        except HangbotError as exc:
            raise CannotBeSimulatedError(f"{exc}: {exc.remedy}") from exc
        keeper.begin(lambda: _copied(as_given))
        await ready(world)
        return SimulatedBot(world.sandbox.bot.uid)


class _Guest:
    """A person of the sandbox who, as all people of a world, says nothing while the chat begins anew."""

    def __init__(self, actor: Actor, quiet: asyncio.Lock) -> None:
        self._actor = actor
        self._quiet = quiet

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  as the actor's
        found = getattr(self._actor, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def act(*args: object, **options: object) -> object:
            async with self._quiet:
                return await found(*args, **options)

        return act


def _copied(app: AnyApp) -> AnyApp:
    """Return an app as it was before it heard anything: the memory of a process ends with it."""
    try:
        return copy.deepcopy(app)
    except Exception as exc:
        raise CannotBeSimulatedError(
            "each process of the bot has an app of its own, and this one cannot be copied "
            f"({type(exc).__name__}: {exc}): what cannot be copied is for `on_start` to open"
        ) from exc


async def _open_bot(visitor: Visitor, world: World) -> object:
    async def open_bot(*, app: AnyApp | None = None, **changes: object) -> SimulatedBot:
        return await visitor.open_bot(world, app, changes)

    return open_bot


async def _open_app(visitor: Visitor, world: World) -> object:
    async def open_app(app: AnyApp, **changes: object) -> AppBot:
        user = await (await _open_user(visitor, world))("alice")
        await visitor.open_bot(world, app, changes)
        return AppBot(world, user)

    return open_app


async def _open_user(_: Visitor, world: World) -> Callable[..., Awaitable[_Guest]]:
    async def open_user(nickname: str, *, role: str = "user", join: bool = True) -> _Guest:
        user = _Guest(world.sandbox.users.add(nickname, role), world.people.quiet)
        if join:
            await user.join()
        return user

    return open_user


async def _user(visitor: Visitor, world: World) -> object:
    return await (await _open_user(visitor, world))("alice")


async def _sandbox(_: Visitor, world: World) -> object:
    return world.sandbox


async def _room_log(_: Visitor, world: World) -> object:
    return RoomLog(world.sandbox)


OFFERED: Final[Mapping[str, Callable[[Visitor, World], Awaitable[object]]]] = MappingProxyType(
    {
        "hangfm_app": _open_app,
        "hangfm_open_bot": _open_bot,
        "hangfm_open_user": _open_user,
        "hangfm_room_log": _room_log,
        "hangfm_sandbox": _sandbox,
        "hangfm_user": _user,
    }
)
"""The fixtures of this plugin that a test has in a simulated world."""
