"""What the journal costs: a busy bot with and without it, and how much memory all that it keeps takes."""

import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
_BOTS: Final[dict[str, dict[str, str]]] = {"bare": {}, "also bare": {}, "kept": {"BENCH_JOURNAL": "on"}}
_OPEN_WITHIN: Final = 300.0
_WITHIN: Final = 120.0
_WORLDS: Final = 6
_TURN: Final = 200
"""Things that happen in a turn: less than a tenth of a second, so that whatever else runs meets all alike."""
_TURNS: Final = 30
"""In a round; the journal is full after one."""
_ROUNDS: Final = 4
_FIRST_RATE: Final = 2_000.0
_BUSY: Final = 0.7
"""Of a core: so much the bot without a journal is to use."""
_HUNDRED: Final = 100.0
_MIB: Final = 2**20
_FRAME: Final = (
    '{"message":{"name":"votedOnSong","statePatch":[{"op":"replace","path":"/voteCounts/likes","value":%d},'
    '{"op":"replace","path":"/vibeMeter","value":0.5}]},"room":"r","context":"user","sentAt":1795347179429}'
)


class _Contenders:
    """Bots in a process each, in rooms of one sandbox, to which the same happens by turns.

    Attributes:
        rate: How many things happen a second.
        busy: How much of a core a bot took while something happened to it, in per cent; of each round.
    """

    def __init__(self, sandbox: Child, bots: dict[str, Child]) -> None:
        self.rate = _FIRST_RATE
        self.busy: list[float] = []
        self._sandbox = sandbox
        self._bots = bots
        self._seed = 0

    def round(self, turns: int) -> dict[str, float]:
        """Let each bot have so many turns; return the seconds of the processor that its process took."""
        before, seconds, order = self._used(), 0.0, list(enumerate(self._bots))
        for _ in range(turns):
            self._seed += 1
            for room, _ in order:
                request = {"do": "busy", "room": room, "number": _TURN, "seed": self._seed, "rate": self.rate}
                seconds += self._sandbox.ask(request, within=_WITHIN)
            order[1:] = reversed(order[1:])  # so each comes after each other, and none after itself
        self._sandbox.ask({"do": "settled"}, within=_WITHIN)
        used = {name: used - before[name] for name, used in self._used().items()}
        self.busy.append(sum(used.values()) / seconds * _HUNDRED)
        return used

    def _used(self) -> dict[str, float]:
        return {name: float(bot.ask({"do": "usage"})["cpu_s"]) for name, bot in self._bots.items()}


@contextmanager
def _opened(names: Sequence[str]) -> Iterator[_Contenders]:
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="hangbot-bench-"))
        sandbox = stack.enter_context(child("bench.servers", "sandbox"))
        wants = {"rooms": len(names), "crowd": _CROWD, "bots": len(names)}
        world = sandbox.ask(wants, within=_OPEN_WITHIN)
        bots = {name: stack.enter_context(child("bench.bot_process")) for name in names}
        for (name, bot), env in zip(bots.items(), world["bots"], strict=True):
            own = {"HANGBOT_RATE": "0", "HANGBOT_OUTBOX": f"{folder}/{name}.sqlite3"}
            bot.ask({"do": "open", "envs": [env | own | _BOTS[name]]}, within=_OPEN_WITHIN)
        yield _Contenders(sandbox, bots)


def _busy(plan: Plan) -> Iterator[Figure]:
    added, null, busy = list[float](), list[float](), list[float]()
    names, turns = list(_BOTS), plan.amount(_TURNS)
    for first in range(plan.rounds(_WORLDS)):  # a process may lie better in memory than the next one
        at = first % len(names)
        with _opened(names[at:] + names[:at]) as bots:
            bots.rate = _BUSY * turns * _TURN / bots.round(turns)["bare"]
            bots.busy.clear()
            for _ in range(plan.rounds(_ROUNDS)):
                used = bots.round(turns)
                added.append((2 * used["kept"] / (used["bare"] + used["also bare"]) - 1) * _HUNDRED)
                null.append((used["also bare"] / used["bare"] - 1) * _HUNDRED)
        busy += bots.busy
    mix = ", ".join(f"{share} {kind}" for kind, share in MIX.items())
    yield figure(
        "the journal: processor",
        added,
        "%",
        goal=under(3.0),
        beside=f"of what a bot takes without, {_between(added)} of {turns} turns of {_TURN} things ({mix});"
        f" a room of 200, {median(busy):.0f} % of a core",
    )
    yield figure(
        "one bot without a journal over another",
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
