"""Plays world after world by seed, over several processes, and shrinks what fails."""

import hashlib
import json
import queue
import threading
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pytest_hangfm.simulation.checker import Violation
from pytest_hangfm.simulation.fingerprint import made_here
from pytest_hangfm.simulation.plan import Plan
from pytest_hangfm.simulation.shrinking import shrink
from pytest_hangfm.simulation.token import encode
from pytest_hangfm.simulation.worker import HUNG, Rig, Verdict, Worker

__all__ = ["Effort", "Failure", "Summary", "search"]

JUDGED_FROM: Final = 100
"""Seeds: a search of fewer is not judged by what had an effect in it."""
TRIES: Final = 150
"""How many plans are played to shrink a failure."""
_SHARE: Final = 0.2
"""Of the seeds: how many faults of each class have to have an effect."""
_HANGS: Final = 10
"""How often a world may hang while it is shrunk: each time takes the whole limit."""
_ENDING: Final = 10.0
"""Seconds for a thread to end whose process was killed."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work a search makes itself.

    Attributes:
        processes: How many worlds are played at a time.
        limit: Seconds of real time for one world.
        plays: How many worlds one process plays.
        tries: How many plans are played to shrink a failure.
        shrinks: How many failures of one rule are shrunk.
        failures: After how many failures the search ends; ``None``: it plays all its worlds.
        stories: Whether each verdict has a story, a good one too.
    """

    processes: int
    limit: float = 60.0
    plays: int = 100
    tries: int = TRIES
    shrinks: int = 3
    failures: int | None = None
    stories: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A world that went wrong.

    Attributes:
        seed: Its seed.
        rule: The rule that was broken: the first, where there are several.
        what: How.
        plan: The smallest plan that was found to break the same rule.
        token: That plan as one word.
        story: What happened in it.
        note: What else is to be known of it.
    """

    seed: int
    rule: str
    what: str
    plan: Plan
    token: str
    story: str
    note: str = ""


@dataclass(slots=True)
class Summary:
    """What a search has found so far.

    Attributes:
        failures: The worlds that went wrong.
        seconds: Virtual seconds that were played, without those of shrinking.
        fired: How many faults of each class had an effect.
        pairs: How many had it in a state of the bot, by state and class.
        hashes: Of each history, by seed.
        interrupted: Whether it ended before all was played.
    """

    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0
    fired: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    hashes: dict[int, str] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def seeds(self) -> int:
        """How many worlds were played."""
        return len(self.hashes)

    @property
    def virtual_hours(self) -> float:
        """Hours of virtual time."""
        return round(self.seconds / 3600.0, 3)

    def add(self, seed: int, verdict: Verdict, failure: Failure | None) -> None:
        """Count a world."""
        self.hashes[seed] = verdict.hash
        self.seconds += verdict.seconds
        self.fired.update(verdict.fired)
        self.pairs.update(verdict.pairs)
        if failure:
            self.failures.append(failure)

    def idle(self, kinds: Collection[str]) -> dict[str, int]:
        """Return the classes of faults that had too rarely an effect, with how often they had one."""
        if self.seeds < JUDGED_FROM:
            return {}
        return {kind: self.fired[kind] for kind in sorted(kinds) if self.fired[kind] < _SHARE * self.seeds}

    def as_line(self, kinds: Collection[str] = ()) -> str:
        """Return it as one line of JSON; ``hash`` is the same for the same seeds, code and libraries.

        Args:
            kinds: Classes of faults that are named even where they had no effect.
        """
        hashes = "\n".join(f"{seed} {self.hashes[seed]}" for seed in sorted(self.hashes))
        return json.dumps(
            {
                "seeds": self.seeds,
                "failed": len(self.failures),
                "virtual_hours": self.virtual_hours,
                "fired": {kind: self.fired[kind] for kind in sorted({*self.fired, *kinds})},
                "hash": hashlib.sha256(hashes.encode()).hexdigest(),
            }
        )


Watch: TypeAlias = Callable[[Summary, int, Verdict, Failure | None], None]
_Played: TypeAlias = tuple[int, Verdict, Failure | None] | Exception


def search(
    seeds: range, *, draw: Callable[[int], Plan], rig: Rig, effort: Effort, watch: Watch = lambda *_: None
) -> Summary:
    """Play a world for each seed; Ctrl-C ends it early.

    Args:
        seeds: The seeds.
        draw: Returns the plan of a seed.
        rig: What plays and judges.
        effort: How much work it makes itself.
        watch: Called after each world, with the summary so far, its seed, its verdict, and its failure if it
            has one.
    """
    return _Search(seeds, draw, rig, effort).run(watch)


class _Search:
    def __init__(self, seeds: range, draw: Callable[[int], Plan], rig: Rig, effort: Effort) -> None:
        self._draw = draw
        self._effort = effort
        self._seeds = iter(seeds)
        self._played: queue.SimpleQueue[_Played] = queue.SimpleQueue()
        self._count = len(seeds)
        self._broken: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._workers = [
            Worker(rig, limit=effort.limit, plays=effort.plays)
            for _ in range(min(effort.processes, len(seeds)))
        ]

    def run(self, watch: Watch) -> Summary:
        summary = Summary()
        threads = [
            threading.Thread(target=self._work, args=(worker,), name=f"search {number}", daemon=True)
            for number, worker in enumerate(self._workers)
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in range(self._count):
                self._take(self._played.get(), summary, watch)
                if len(summary.failures) == self._effort.failures:
                    break
        except KeyboardInterrupt:
            summary.interrupted = True
        finally:
            for worker in self._workers:
                worker.close()
            for thread in threads:
                thread.join(_ENDING)
        while len(summary.failures) != self._effort.failures and not self._played.empty():
            # what failed, and was being shrunk
            self._take(self._played.get(), summary, watch)
        return summary

    @staticmethod
    def _take(played: _Played, summary: Summary, watch: Watch) -> None:
        if isinstance(played, Exception):
            raise played
        seed, verdict, failure = played
        summary.add(seed, verdict, failure)
        watch(summary, seed, verdict, failure)

    def _work(self, worker: Worker) -> None:
        try:
            with worker:
                while (seed := self._next()) is not None:
                    plan = self._draw(seed)
                    verdict = worker.ask(plan, story=self._effort.stories)
                    failure = self._failure(seed, plan, verdict, worker) if verdict.violations else None
                    self._played.put((seed, verdict, failure))
        except InterruptedError:
            pass  # the search has ended
        except Exception as exc:  # noqa: BLE001  the search ends with it
            self._played.put(exc)

    def _next(self) -> int | None:
        with self._lock:
            return next(self._seeds, None)

    def _failure(self, seed: int, plan: Plan, verdict: Verdict, worker: Worker) -> Failure:
        first = verdict.violations[0]
        rule = first.rule
        with self._lock:
            self._broken[rule] += 1
            is_shrunk = self._broken[rule] <= self._effort.shrinks
        found, small, note = verdict, plan, ""
        try:
            if is_shrunk:
                small, note = self._shrunk(plan, first, worker)
            elif self._effort.shrinks:
                note = f"not shrunk: {self._effort.shrinks} failures of this rule are"
            if not verdict.story or small is not plan:
                found = worker.ask(small, story=True)
        except InterruptedError:
            note = "not shrunk: the search was interrupted"
        violation = found.like(first)
        if violation is None or (small is plan and found.hash != verdict.hash):
            violation, small = first, plan
            note = "NOT DETERMINISTIC: the same plan was played twice, and not alike"
        return Failure(seed, rule, violation.what, small, encode(small, made_here()), found.story, note)

    def _shrunk(self, plan: Plan, first: Violation, worker: Worker) -> tuple[Plan, str]:
        plays = 0

        def fails(candidate: Plan) -> bool:
            nonlocal plays
            plays += 1
            return worker.ask(candidate).like(first) is not None

        most = _HANGS if first.rule == HUNG else self._effort.tries
        small = shrink(plan, fails, tries=min(most, self._effort.tries))
        return small, f"shrunk from {len(plan.faults)} faults to {len(small.faults)}, in {plays} plays"
