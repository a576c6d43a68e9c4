"""What the journal costs: a busy bot with and without it, and how much memory all that it keeps takes."""

import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import sqrt
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from bench.busy import MIX
from bench.figures import Figure, figure, quantile, under
from bench.plan import Plan
from bench.processes import Child, child
from hangbot.journal import Journal, rows
from hangbot.redact import Redactor

__all__ = ["STEPS"]

_CROWD: Final = 199
_OPEN_WITHIN: Final = 300.0
_WITHIN: Final = 120.0
_WORLDS: Final = 3
_TURN: Final = 200
"""Things that happen in a turn: less than a tenth of a second, so that whatever else runs meets all alike."""
_TURNS: Final = 15
"""At a time; the journal is full after them."""
_ROUNDS: Final = 10
_FIRST_RATE: Final = 2_000.0
_BUSY: Final = 0.7
"""Of a core: so much the bot without a journal is to use."""
_HUNDRED: Final = 100.0
_MIB: Final = 2**20
_FRAME: Final = (
    '{"message":{"name":"votedOnSong","statePatch":[{"op":"replace","path":"/voteCounts/likes","value":%d},'
    '{"op":"replace","path":"/vibeMeter","value":0.5}]},"room":"r","context":"user","sentAt":1795347179429}'
)


class _Pair:
    """Two bots in a process each, to which the same happens by turns; their journals are off at first.

    Attributes:
        rate: How many things happen a second.
        busy: How much of a core they took while something happened to them, in per cent.
    """

    def __init__(self, sandbox: Child, bots: Sequence[Child]) -> None:
        self.rate = _FIRST_RATE
        self.busy: list[float] = []
        self._sandbox = sandbox
        self._bots = bots
        self._seed = 0

    def take(self, turns: int, on: tuple[bool, bool]) -> list[float]:
        """Let each bot have so many turns, its journal on or off; return the processor's seconds of each."""
        for bot, is_on in zip(self._bots, on, strict=True):
            bot.ask({"do": "journal", "on": is_on})
        before, seconds = self._used(), 0.0
        for _ in range(turns):
            self._seed += 1
            request = {"do": "busy", "number": _TURN, "seed": self._seed, "rate": self.rate}
            seconds += sum(self._sandbox.ask(request | {"room": room}, within=_WITHIN) for room in (0, 1))
        self._sandbox.ask({"do": "settled"}, within=_WITHIN)
        used = [now - then for now, then in zip(self._used(), before, strict=True)]
        self.busy.append(sum(used) / seconds * _HUNDRED)
        return used

    def added(self, turns: int, *, on: bool) -> float:
        """Return what the journal (or nothing, where it is not ``on``) adds, in per cent.

        Each bot is once the one with it: that one process lies better in memory than the other cancels out.
        """
        one, other = self.take(turns, (on, False))
        one_then, other_then = self.take(turns, (False, on))
        return (sqrt(one / other * other_then / one_then) - 1) * _HUNDRED

    def _used(self) -> list[float]:
        return [float(bot.ask({"do": "usage"})["cpu_s"]) for bot in self._bots]


@contextmanager
def _opened() -> Iterator[_Pair]:
    with (
        TemporaryDirectory(prefix="hangbot-bench-") as folder,
        child("bench.servers", "sandbox") as sandbox,
        child("bench.bot_process") as one,
        child("bench.bot_process") as other,
    ):
        world = sandbox.ask({"rooms": 2, "crowd": _CROWD, "bots": 2}, within=_OPEN_WITHIN)
        for number, bot in enumerate((one, other)):
            own = {"HANGBOT_OUTBOX": f"{folder}/{number}.sqlite3", "HANGBOT_RATE": "0", "BENCH_JOURNAL": "on"}
            bot.ask({"do": "open", "envs": [world["bots"][number] | own]}, within=_OPEN_WITHIN)
        yield _Pair(sandbox, (one, other))


def _busy(plan: Plan) -> Iterator[Figure]:
    added, null, busy, turns = list[float](), list[float](), list[float](), plan.amount(_TURNS)
    for _ in range(plan.rounds(_WORLDS)):
        with _opened() as pair:
            pair.take(_TURNS, (True, True))  # fills the journals
            pair.rate = _BUSY * 2 * turns * _TURN / sum(pair.take(turns, (False, False)))
            pair.busy.clear()
            for _ in range(plan.rounds(_ROUNDS)):
                added.append(pair.added(turns, on=True))
                null.append(pair.added(turns, on=False))
        busy += pair.busy
    mix = ", ".join(f"{share} {kind}" for kind, share in MIX.items())
    yield figure(
        "the journal: processor",
        added,
        "%",
        goal=under(3.0),
        beside=f"of what a bot takes without, {_between(added)} of {4 * turns} turns of {_TURN} things"
        f" ({mix}); a room of 200, {median(busy):.0f} % of a core",
    )
    yield figure(
        "the same without a journal",
        null,
        "%",
        beside=f"what the measurement itself says, {_between(null)}",
    )


def _between(values: Sequence[float]) -> str:
    low, high = quantile(values, 0.25), quantile(values, 0.75)
    return f"half of {len(values)} rounds between {low:.1f} and {high:.1f} %"


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
