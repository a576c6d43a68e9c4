"""What the journal costs: a busy bot with and without it, and how much memory all that it keeps takes."""

import time
import tracemalloc
from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import Final

from bench.bots import World, open_world
from bench.figures import Figure, figure, interleaved, quantile, ratio, under
from bench.plan import Plan
from hangbot.journal import Journal, rows
from hangbot.redact import Redactor

__all__ = ["STEPS"]

_CROWD: Final = 199
_ON: Final[dict[str, str]] = {"BENCH_JOURNAL": "on"}
_SETTLES: Final = 3.0
_WITHIN: Final = 120.0
_VOTES: Final = 200.0
"""A second: the bot does little but take them in."""
_HUNDRED: Final = 100.0
_MIB: Final = 2**20
_FRAME: Final = (
    '{"message":{"name":"votedOnSong","statePatch":[{"op":"replace","path":"/voteCounts/likes","value":%d},'
    '{"op":"replace","path":"/vibeMeter","value":0.5}]},"room":"r","context":"user","sentAt":1795347179429}'
)


def _busy(plan: Plan) -> Iterator[Figure]:
    added, bare = [], []
    for first in range(plan.rounds(4)):  # whichever of two bots is opened first may lie better in memory
        keeps = first % 2
        with open_world(bots=2, crowd=_CROWD, each=({}, _ON) if keeps else (_ON, {})) as world:
            time.sleep(_SETTLES)
            values = interleaved(
                plan.amount(30),
                {
                    "bare": partial(_used, world, 1 - keeps, plan.seconds(1.0)),
                    "kept": partial(_used, world, keeps, plan.seconds(1.0)),
                },
                within=_WITHIN,
            )
        bare += values["bare"]
        added += [(more - 1) * _HUNDRED for more in ratio(values, "kept", "bare")]
    beside = (
        f"of what it takes without, by turns of a second in one process; a room of 200 with {_VOTES:g} votes"
        f" a second, {median(bare):.1f} % of a core; half of the {len(added)} turns between"
        f" {quantile(added, 0.25):.1f} and {quantile(added, 0.75):.1f} %"
    )
    yield figure("the journal: processor", added, "%", goal=under(3.0), beside=beside)


def _used(world: World, room: int, seconds: float) -> float:
    return world.cpu_while(
        lambda: world.ask_sandbox(do="traffic", room=room, rate=_VOTES, seconds=seconds), seconds
    )


def _kept(plan: Plan) -> Iterator[Figure]:
    now = [0.0]
    tracemalloc.start()
    journal = Journal(lambda: now[0])
    frames = plan.amount(60_000)
    for number in range(frames):
        now[0] = number * 0.001
        journal.add("in", 1, _FRAME % number)
    taken = tracemalloc.get_traced_memory()[0] / _MIB
    tracemalloc.stop()
    yield figure("the journal, full: memory", [taken], "MB", goal=under(5.5), beside=f"of {frames} frames")
    began = time.perf_counter()
    lines = sum(1 for _ in rows(journal.read(), Redactor(["a secret of the bench", "another one of these"])))
    took = time.perf_counter() - began
    yield figure("the journal, full: read and masked", [took], "s", beside=f"{lines} rows, in a thread")


STEPS: Final = (_busy, _kept)
