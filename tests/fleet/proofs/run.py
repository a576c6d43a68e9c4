"""One run of a fleet of processes under load, with what goes wrong, and what is found of it."""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from hangbot.fleet.servers import Servers, open_servers
from tests.fleet.proofs.disturbances import Disturbances
from tests.fleet.proofs.judge import arrivals, timeline, trespasses
from tests.fleet.proofs.lag import Lag
from tests.fleet.proofs.ownership import Ownership
from tests.fleet.proofs.rooms import NOT_THERE, FleetRooms, open_rooms
from tests.fleet.proofs.takeovers import Takeover, figures_of_takeovers, slowest, takeovers
from tests.fleet.proofs.workers import WorkerProcess, open_workers
from tests.fleet.routes import Routes, open_routes

__all__ = ["Found", "Sizes", "prove"]

_FLEET: Final = "proof"
_WORKERS: Final = 3
_EACH: Final = 2.5
"""Seconds between two disturbances, on average."""
_NATS: Final = "| asyncio | ERROR | Task exception was never retrieved"
"""Begins what asyncio says of nats-py's flusher, whose own end fails on a connection that is reset."""
_STARTS_WITHIN: Final = 180.0
_ARRIVES_WITHIN: Final = 240.0


class Sizes(NamedTuple):
    """How much of everything."""

    rooms: int
    messages: int
    questions: int
    disturbances: int


@dataclass(slots=True)
class Found:
    """What came out.

    Attributes:
        wrong: What must not have happened.
        figures: What was measured, a line each.
        stood_still: For how many seconds this process itself did nothing, at most.
        slowest: The 99th percentile of takeovers while nothing else was disturbed, in seconds.
        versions: The version of each worker, after each one that was upgraded.
    """

    wrong: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    stood_still: float = 0.0
    slowest: float = 0.0
    versions: list[dict[str, str]] = field(default_factory=list)


class _Run:
    """What is open while it lasts."""

    def __init__(
        self,
        sizes: Sizes,
        seed: int,
        rooms: FleetRooms,
        servers: Servers,
        routes: Routes,
        *,
        workers: list[WorkerProcess],
        ownership: Ownership,
    ) -> None:
        self.sizes = sizes
        self.rng = Random(seed)  # noqa: S311  no secret
        self.rooms, self.servers, self.workers, self.ownership = rooms, servers, workers, ownership
        self.disturbances = Disturbances(self.rng, workers, servers, routes, ownership)
        self.accepted: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.asked: dict[str, list[int]] = {}
        self.found = Found()
        self.lag = Lag()
        self.doubtful = 0


async def prove(folder: Path, sizes: Sizes, seed: int, *, upgrade: Path | None = None) -> Found:
    """Run it once.

    Args:
        folder: For files and logs.
        sizes: How much of everything.
        seed: Of what is drawn.
        upgrade: The folder of another hangbot: instead of being disturbed, the workers are stopped and
            started with it, one after the other.
    """
    for name in ("rooms", "logs", "servers"):
        (folder / name).mkdir()
    async with (
        open_routes() as routes,
        open_servers(folder=folder / "servers", route=routes) as servers,
        open_rooms(folder / "rooms", sizes.rooms, f"{servers.address},{NOT_THERE}/{_FLEET}") as rooms,
        Ownership.watching(f"{servers.address}/{_FLEET}") as ownership,
        open_workers(_WORKERS, rooms, servers, _FLEET, folder / "logs") as workers,
    ):
        run = _Run(sizes, seed, rooms, servers, routes, workers=workers, ownership=ownership)
        watching = asyncio.create_task(run.lag.watch(), name="the loop")
        try:
            await _prove(run, folder, seed, upgrade)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        return run.found


async def _prove(run: _Run, folder: Path, seed: int, upgrade: Path | None) -> None:
    begun = time.time()
    await _until(lambda: len(run.ownership.ready()) == run.sizes.rooms, _STARTS_WITHIN, "every bot is ready")
    run.found.figures.append(f"{run.sizes.rooms} rooms ready after {time.time() - begun:.1f} s")
    await _disturb(run, folder, seed, upgrade)
    await _judge(run, folder)


async def _disturb(run: _Run, folder: Path, seed: int, upgrade: Path | None) -> None:
    seconds = run.sizes.disturbances * _EACH
    async with _load(run, folder, seconds, seed) as load:
        await _hear(run, load, until="begun")
        begun = time.time()
        async with asyncio.TaskGroup() as tasks:
            deeds = _upgrade(run, upgrade) if upgrade else run.disturbances.run(run.sizes.disturbances)
            tasks.create_task(deeds, name="disturbances")
            tasks.create_task(_ask(run, seconds), name="questions")
            tasks.create_task(_hear(run, load, until="sent"), name="the load")
        over = time.time()
        run.found.figures.append(f"{run.sizes.disturbances} disturbances in {over - begun:.1f} s")
        try:
            await _until(lambda: _arrived(run), _ARRIVES_WITHIN, "everything has arrived")
        except TimeoutError as exc:
            run.found.wrong.append(str(exc))
        run.found.figures.append(f"everything had arrived {time.time() - over:.1f} s later")
        assert load.stdin
        load.stdin.write(b"\n")
        load.stdin.close()
        await _hear(run, load, until="end")


@asynccontextmanager
async def _load(run: _Run, folder: Path, seconds: float, seed: int) -> AsyncIterator[Process]:
    """Have messages put into the rooms' outboxes by another process."""
    job = folder / "job.json"
    files = [[str(each.file), each.asker.uid] for each in run.rooms.every]
    job.write_text(
        json.dumps([files, run.sizes.messages // run.sizes.rooms, seconds, seed]), encoding="utf-8"
    )
    with (folder / "logs" / "load.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.fleet.proofs.load", str(job)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=log,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _hear(run: _Run, load: Process, *, until: str) -> None:
    """Note what the load says."""
    assert load.stdout
    async for line in load.stdout:
        said = json.loads(line)
        if until in said:
            return
        (run.accepted if "id" in said else run.states).append(said)
    if until != "end":
        run.found.wrong.append("the load has ended early: its log has why")


async def _upgrade(run: _Run, code: Path) -> None:
    """Have each worker give its rooms up, and start it with other code; the next one when that one runs."""
    for worker in run.workers:
        if await worker.stop():
            run.found.wrong.append(f"{worker.name} was not stopped in good order: {worker.log}")
        former = (await run.ownership.versions()).get(worker.name)
        worker.code = code
        worker.start()
        async with asyncio.timeout(_STARTS_WITHIN):
            while (versions := await run.ownership.versions()).get(worker.name) in {former, None}:  # noqa: ASYNC110  processes have no event to wait for
                await asyncio.sleep(0.1)
        run.found.versions.append(versions)
        await _until(lambda: len(run.ownership.ready()) == run.sizes.rooms, _STARTS_WITHIN, "all are ready")


async def _ask(run: _Run, seconds: float) -> None:
    """Have the users of the rooms ask."""
    begun = time.time()
    for number, at in enumerate(sorted(run.rng.uniform(0, seconds) for _ in range(run.sizes.questions))):
        await asyncio.sleep(max(0.0, begun + at - time.time()))
        room = run.rng.choice(run.rooms.every)
        await room.asker.say(f"ask {number}", room.room)
        run.asked.setdefault(room.room.uuid, []).append(number)


def _arrived(run: _Run) -> bool:
    texts = [str(row["data"].get("text", "")) for row in run.rooms.sandbox.messages]
    load = sum(text.startswith("load ") for text in texts)
    answers = sum(text.startswith("answers ") for text in texts)
    return load >= len(run.accepted) and answers >= run.sizes.questions


async def _until(holds: Callable[[], object], within: float, what: str) -> None:
    end = time.monotonic() + within
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {within:g} s: {what}")
        await asyncio.sleep(0.5)


async def _judge(run: _Run, folder: Path) -> None:
    found, acts, owned = run.found, run.rooms.acts.seen, run.ownership.rooms
    losses = run.disturbances.losses
    for room, seen in acts.items():
        run.doubtful += len([*trespasses(seen, owned.get(room, ()))])
        judged = [*trespasses(seen, owned.get(room, ()), run.lag.earliest)]
        run.doubtful -= len(judged)
        for act in judged[:1]:
            found.wrong.append(
                f"{act.worker} acted on a room that was not its own: {act.what}\n"
                + timeline(act.at, room, owned.get(room, ()), seen, losses)
            )
    found.wrong += arrivals(run.accepted, run.asked, run.rooms.sandbox.messages)
    _look_at_states(run)
    await _look_at_workers(run, folder)
    every = [*takeovers(losses, owned, acts, run.ownership.halts)]
    found.slowest, found.stood_still = slowest(every), run.lag.longest
    found.figures += figures_of_takeovers(every)
    (folder / "slow.txt").write_text(_slow(run, every), encoding="utf-8")
    changes = sum(len(each) - 1 for each in owned.values())
    found.figures += [
        f"{len(run.accepted)} messages, {run.sizes.questions} questions, {changes} changes of owners",
        f"{sum(map(len, acts.values()))} acts, messages sent by {dict(run.rooms.acts.sends)}",
        f"the cluster was silent for {[round(end - begin, 1) for begin, end in run.ownership.gaps]} s",
        f"it stored nothing for {[round(end - begin, 1) for begin, end in run.ownership.halts]} s",
        f"this process stood still for up to {run.lag.longest:.2f} s: {run.doubtful} acts may be older",
    ]


def _slow(run: _Run, every: Sequence[Takeover]) -> str:
    """Return what happened to rooms that were taken slowly, or whose new owners acted late."""
    acts, owned, losses = run.rooms.acts.seen, run.ownership.rooms, run.disturbances.losses
    by_lease = sorted(every, key=lambda each: (each.was_alone, each.leased), reverse=True)[:2]
    by_act = sorted(every, key=lambda each: -(each.acted or 0.0))[:3]
    return "\n\n".join(
        timeline(each.at, each.room, owned[each.room], acts.get(each.room, ()), losses)
        for each in by_lease + by_act
    )


def _look_at_states(run: _Run) -> None:
    asked = {each.key: len(run.asked.get(each.room.uuid, ())) for each in run.rooms.every}
    if len(run.states) != len(asked):
        run.found.wrong.append(f"the load told of {len(run.states)} rooms")
    for said in run.states:
        if set(said["states"]) - {"delivered"}:
            run.found.wrong.append(f"in {said['room']} not all is delivered: {said['states']}")
        if said["answered"] != asked[said["room"]]:
            words = f"{said['room']} has counted {said['answered']} of {asked[said['room']]} questions"
            run.found.wrong.append(words)


async def _look_at_workers(run: _Run, folder: Path) -> None:
    """End the workers in order: each still runs, and gives its rooms up."""
    run.found.wrong += [words for worker in run.workers for words in worker.faults]
    codes = await asyncio.gather(*(worker.stop() for worker in run.workers))
    if any(codes):
        run.found.wrong.append(f"the workers ended with {codes}")
    for log in sorted((folder / "logs").iterdir()):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        begun = [before for before, line in pairwise(lines) if "Traceback" in line and before.strip()]
        faults = [before for before in begun if _NATS not in before]
        faults += [line for line in lines if "fault of hangbot" in line]
        if faults:
            run.found.wrong.append(f"{log}: {len(faults)} faults, the first: {faults[0]}")
