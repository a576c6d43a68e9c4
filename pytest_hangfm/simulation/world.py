"""Plays a plan: a bot, its services, its disk and its network in one loop, and what goes wrong in them."""

import asyncio
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final, TypeAlias

from hangbot import AnyApp, InlineWriter, Settings, open_outbox
from hangbot.sandbox import RoomVariants, Sandbox, SandboxClock, open_sandbox
from pytest_hangfm.simulation import history as h
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.disk import SimulatedDisk
from pytest_hangfm.simulation.faults import FAULTS, Effect
from pytest_hangfm.simulation.guards import no_machine
from pytest_hangfm.simulation.keeper import Keeper
from pytest_hangfm.simulation.loop import SimulatedLoop
from pytest_hangfm.simulation.operator import Operator
from pytest_hangfm.simulation.people import People
from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.probe import Moods, Probe
from pytest_hangfm.simulation.process import is_alive
from pytest_hangfm.simulation.recorder import Recorder
from pytest_hangfm.simulation.rules import Rules

__all__ = ["MachineUsedError", "Visit", "World", "play"]

_ROOM_PORT: Final = 4001
_CHAT_PORT: Final = 4002
_LOOK: Final = 1.0
"""Seconds between two looks at what can only be asked for."""
_SAYS_EVERY: Final = 15.0
"""Seconds between two things that the bot says of its own accord, in the mean."""
_SETTLES_WITHIN: Final = 900.0
"""Seconds after the calm until everything has ended that was accepted; the checker judges what has not."""
_OPENS_WITHIN: Final = 120.0


Visit: TypeAlias = Callable[["World"], Coroutine[Any, Any, None]]
"""What a test does in a world, as one of its people; it calls `Keeper.begin`."""


class MachineUsedError(RuntimeError):
    """The machine was used in a simulation, which is not the same each time then."""


_Effects: TypeAlias = dict[int, tuple[Fault, Effect]]


@dataclass(frozen=True, slots=True)
class World:
    """What faults can get at.

    Attributes:
        away: Until when a service is away, by its name.
    """

    sandbox: Sandbox
    keeper: Keeper
    rules: Rules
    disk: SimulatedDisk
    clock: SimulatedClock
    people: People
    operator: Operator
    moods: Moods
    recorder: Recorder
    away: dict[str, float] = field(default_factory=dict)

    def port(self, service: str) -> int:
        """Return the port of ``room`` or ``chat``."""
        return _ROOM_PORT if service == "room" else _CHAT_PORT

    def cut(self, service: str) -> None:
        """Break the bot's connections to ``room`` or ``chat``."""
        self.sandbox.services.cut("room" if service == "room" else "chat")

    async def revoke_chat_token(self) -> None:
        """Make the bot's chat token worthless; its connections end, as they do on the service."""
        self.sandbox.people.revoke(self.sandbox.bot.chat_token)
        self.cut("chat")

    async def reset_chat(self) -> None:
        """Have the chat begin anew, with the first number; people say nothing around that."""
        async with self.people.quiet:
            await asyncio.sleep(2.0)
            self.sandbox.chat.reset()
            self.sandbox.chat.world.ensure_group(self.sandbox.room_uuid, self.sandbox.room.name)
            self.recorder.begin_epoch()
            await asyncio.sleep(2.0)


def play(plan: Plan, *, app: Callable[[], AnyApp] | None = None, visit: Visit | None = None) -> h.History:
    """Play a plan to its end and return what happened; the same plan has the same history each time.

    Args:
        plan: What is to be.
        app: Makes the bot's app, anew for each process; without one it answers all who ask, and says things
            of its own accord.
        visit: What a test does there; it is to call `Keeper.begin`.

    Raises:
        MachineUsedError: The machine's time, chance, threads, sockets or programs were used.
        RuntimeError: The world came to a halt.
        ValueError: The plan names a fault or a setting that is not known.
    """
    folder = Path(tempfile.mkdtemp(prefix="hangfm-", dir=_fast_folder()))
    try:
        with no_machine(plan.seed) as uses, asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            loop = runner.get_loop()
            if not isinstance(loop, SimulatedLoop):
                raise TypeError("a simulation needs its own loop")
            history = runner.run(_play(plan, loop, folder, app, visit))
        if uses:
            raise MachineUsedError(uses[0])
        return history
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _play(
    plan: Plan, loop: SimulatedLoop, folder: Path, app: Callable[[], AnyApp] | None, visit: Visit | None
) -> h.History:
    logger = logging.getLogger("hangbot")
    level, propagates = logger.level, logger.propagate
    async with _open_world(plan, loop, folder) as world:
        recorder = world.recorder
        recorder.addFilter(is_alive)
        logger.addHandler(recorder)
        logger.setLevel(logging.INFO)
        logger.propagate = False  # the lines are the history's; a report of pytest would repeat a hostile one
        try:
            if visit is None:
                world.keeper.begin(app or (lambda: Probe(world.moods)))
                visit = _nothing if app else _say(plan)
            bounds = await _live(plan, world, loop, visit)
            secrets = _secrets(world.sandbox)
            async with open_outbox(
                world.keeper.settings, binds=False, clock=world.clock, make_writer=InlineWriter
            ) as outbox:
                await recorder.rows(outbox)
            left = tuple(
                f"{failure.get('message')}: {failure.get('exception')!r}" for failure in loop.failures
            )
            recorder.add(h.Left(loop.time(), left))
            return recorder.history(bounds, secrets)
        finally:
            logger.removeHandler(recorder)
            logger.setLevel(level)
            logger.propagate = propagates


@asynccontextmanager
async def _open_world(plan: Plan, loop: SimulatedLoop, folder: Path) -> AsyncIterator[World]:
    rng = Random(f"world {plan.seed}")  # noqa: S311  to be repeatable
    clock, moods = SimulatedClock(), Moods()
    disk = SimulatedDisk(clock)
    true = SimulatedClock()
    async with (
        open_sandbox(
            room_port=_ROOM_PORT,
            http_port=_CHAT_PORT,
            control=False,
            clock=SandboxClock(wall_s=true.wall, monotonic_s=loop.time),
            rng=Random(rng.random()),  # noqa: S311  to be repeatable
            variants=_variants(Random(f"room {plan.seed}")),  # noqa: S311  to be repeatable
        ) as sandbox,
        asyncio.TaskGroup() as tasks,
    ):
        settings = Settings.from_env(
            {**sandbox.env(), **plan.env, "HANGBOT_OUTBOX": str(folder / "outbox.sqlite3")}
        )
        recorder = Recorder(sandbox, str(folder))
        keeper = Keeper(
            loop,
            settings,
            clock=clock,
            disk=disk,
            random=Random(rng.random()),  # noqa: S311  to be repeatable
            recorder=recorder,
        )
        people = People(sandbox, Random(rng.random()), plan.users, plan.pace)  # noqa: S311  likewise
        operator = Operator(settings, clock, recorder, tasks)
        rules = loop.network.rules
        yield World(sandbox, keeper, rules, disk, clock, people, operator, moods, recorder)


async def _live(plan: Plan, world: World, loop: SimulatedLoop, visit: Visit) -> h.Bounds:
    """Let people talk and things go wrong, then have some calm, then stop."""
    recorder, keeper = world.recorder, world.keeper
    effects: _Effects = {}
    async with asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(keeper.keep(), name="keeper")
        looking = tasks.create_task(_look(world, loop, effects), name="looks")
        await world.people.enter()
        async with asyncio.TaskGroup() as acts:
            acts.create_task(world.people.talk(plan.seconds), name="people")
            acts.create_task(visit(world), name="visit")
            for number, fault in enumerate(plan.faults):
                acts.create_task(_go_wrong(world, number, fault, effects), name=fault.kind)
        bounds = _bounds(keeper.settings)
        await world.people.talk(loop.time() + bounds.calm)
        until = loop.time() + _SETTLES_WITHIN
        while loop.time() < until and recorder.waits():  # noqa: ASYNC110  virtual time
            await asyncio.sleep(1.0)
        await keeper.stop()
        await asyncio.wait([keeping], timeout=_OPENS_WITHIN)
        looking.cancel()
        keeping.cancel()
        recorder.look(keeper.bot, loop.network, _ROOM_PORT)
    return bounds


async def _nothing(_: World) -> None:
    """Visit no one."""


def _say(plan: Plan) -> Visit:
    """Have the bot say things of its own accord."""

    async def visit(world: World) -> None:
        loop, number = asyncio.get_running_loop(), 0
        rng = Random(f"bot {plan.seed}")  # noqa: S311  to be repeatable
        while loop.time() < plan.seconds:
            await asyncio.sleep(rng.expovariate(1 / _SAYS_EVERY))
            number += 1
            world.keeper.say(f"own words, number {number}", f"own-{number}")

    return visit


async def _go_wrong(world: World, number: int, fault: Fault, effects: _Effects) -> None:
    kind, recorder = FAULTS.get(fault.kind), world.recorder
    if kind is None:
        raise ValueError(f"there is no fault {fault.kind!r}; there are: {', '.join(FAULTS)}")
    await asyncio.sleep(fault.at - recorder.now)
    recorder.add(h.FaultBegan(recorder.now, number, fault.kind, kind.impairs_with(fault.args)))
    effect = await kind.begin(world, fault.args, fault.lasts)
    effects[number] = fault, effect
    await asyncio.sleep(fault.lasts)
    ended = effect.end() if effect.end else None
    if ended is not None:
        await ended
    recorder.add(h.FaultEnded(recorder.now, number, fault.kind))


async def _look(world: World, loop: SimulatedLoop, effects: _Effects) -> None:
    """Look, each second, at what the bot says of itself and which faults have had an effect."""
    recorder = world.recorder
    while True:
        recorder.look(world.keeper.bot, loop.network, _ROOM_PORT)
        for number, (fault, effect) in list(effects.items()):
            if effect.hits():
                del effects[number]
                recorder.add(h.FaultFired(recorder.now, number, fault.kind))
        await asyncio.sleep(_LOOK)


def _variants(random: Random) -> RoomVariants:
    """Draw what rooms differ in: when they say welcome, if at all, and when they show who is there."""
    return RoomVariants(
        setup_ms=random.choice((0.0, 0.0, 200.0, 2000.0)),
        welcome=random.choice(("Welcome", "Welcome", "Welcome", None)),
        profiles_ms=random.choice((0.0, 300.0, 300.0, 3000.0, 10_000.0)),
    )


def _bounds(settings: Settings) -> h.Bounds:
    return h.Bounds(
        back=120.0,
        drain=settings.drain,
        longest_wait=60.0,
        catch_up=settings.catch_up,
        handler=settings.handler_timeout,
        attempts=settings.retry_attempts,
        total=settings.retry_total,
        ttl=settings.message_ttl,
        deaf_red=max(60.0, settings.chat_silence + 20.0),
        unasked_red=settings.chat_silence + 60.0,
    )


def _secrets(sandbox: Sandbox) -> tuple[str, ...]:
    return tuple(token for person in sandbox.people for token in (person.token, person.chat_token))


def _fast_folder() -> str | None:
    """Return a folder in memory, where there is one: a simulated disk needs no real one."""
    memory = Path("/dev/shm")  # noqa: S108  a folder of our own is made in it
    return str(memory) if memory.is_dir() else None
