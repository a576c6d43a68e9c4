"""Plays one test in world after world, in this process, until one goes wrong; that one is made small."""

import shlex
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pytest_hangfm.simulation.checker import Violation, check
from pytest_hangfm.simulation.drawing import draw
from pytest_hangfm.simulation.faults.app import OF_THE_PROBE
from pytest_hangfm.simulation.fingerprint import made_here
from pytest_hangfm.simulation.history import FaultFired, History, journal_hash
from pytest_hangfm.simulation.plan import Plan
from pytest_hangfm.simulation.shrinking import shrink
from pytest_hangfm.simulation.story import plain, tell
from pytest_hangfm.simulation.token import decode, encode
from pytest_hangfm.simulation.visiting import CannotBeSimulatedError, Visitor, in_words
from pytest_hangfm.simulation.world import MachineUsedError, play

__all__ = ["Invariant", "Outcome", "Trial"]

Invariant = Callable[[History], Iterable[tuple[float, str]] | None]
"""Asserts something of a history, or yields what is wrong: when, in virtual seconds, and a sentence."""

_TRIES: Final = 100
"""How many plans are played to make a failing one small."""
_WEEK: Final = 7 * 86_400.0
_TEST: Final = "test"
_CRASH: Final = "crash"
"""The rules of a test that fails in its world, and of a world that cannot be played."""
_UNLIKE: Final = (
    "the same world was played twice, and not alike: does the app or the test use the time of `datetime`, "
    "the order of a set, or `id()`?"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a test's worlds.

    Attributes:
        failure: What went wrong, for people, with the story; empty where nothing did.
        summary: What was played.
    """

    failure: str
    summary: str


@dataclass(frozen=True, slots=True)
class _Played:
    history: History
    violations: tuple[Violation, ...]
    crash: str = ""

    def breaks(self, rule: str) -> bool:
        return any(violation.rule == rule for violation in self.violations)


@dataclass(frozen=True, slots=True)
class Trial:
    """A test that is to be simulated.

    Attributes:
        name: What pytest calls it: its node id.
        test: Its coroutine function.
        values: Its arguments, those of this plugin apart.
        wanted: The fixtures of this plugin that it asks for.
        invariants: What the author asks of each history, beside the rules.
    """

    name: str
    test: Callable[..., Awaitable[None]]
    values: Mapping[str, object]
    wanted: tuple[str, ...]
    invariants: tuple[Invariant, ...] = ()

    def search(self, seeds: int) -> Outcome:
        """Play the worlds of so many seeds, until one goes wrong.

        Raises:
            CannotBeSimulatedError: The test asks for what a simulation has not.
        """
        seconds, fired = 0.0, 0
        for seed in range(seeds):
            drawn = draw(seed)
            plan = drawn.with_faults(tuple(each for each in drawn.faults if each.kind not in OF_THE_PROBE))
            played = self._play(plan)
            if not seed and journal_hash(self._play(plan).history) != journal_hash(played.history):
                raise CannotBeSimulatedError(_UNLIKE)
            if played.violations:
                return self._failed(plan, played, f"in world {seed + 1} of {seeds}")
            seconds += played.history.events[-1].at
            fired += len({event.number for event in played.history.of(FaultFired)})
        several = "s" if seeds > 1 else ""
        hours = f"{seconds / 3600:.1f} virtual hours"
        return Outcome("", f"{seeds} world{several}, {hours}, {fired} faults had an effect")

    def calm(self) -> Outcome:
        """Play one world in which nothing goes wrong but what the test does, and raise what the test raises.

        Raises:
            CannotBeSimulatedError: The test asks for what a simulation has not.
        """
        visitor = Visitor(self.test, self.values, self.wanted, longest=_WEEK)
        history = self._history(Plan(0, seconds=0.0, users=0), visitor)
        if visitor.raised is not None:
            raise visitor.raised
        return Outcome("", f"{history.events[-1].at:.0f} virtual seconds")

    def replay(self, token: str) -> Outcome:
        """Play the world of a token.

        Raises:
            CannotBeSimulatedError: The test asks for what a simulation has not.
            TokenError: It is no token.
        """
        plan, made_with = decode(token)
        played = self._play(plan)
        difference = made_with.difference(made_here())
        note = f"made with {difference}; it may go another way now" if difference else "replayed"
        if not played.violations:
            return Outcome("", f"{note}; no rule is broken\n{tell(played.history, (), plan)}")
        return Outcome("\n".join(self._report(plan, played, note)), note)

    def _play(self, plan: Plan) -> _Played:
        visitor = Visitor(self.test, self.values, self.wanted)
        try:
            history = self._history(plan, visitor)
        except CannotBeSimulatedError:
            raise
        except Exception as exc:  # noqa: BLE001  whatever it is, it is this world's failure
            what = f"the world cannot be played: {type(exc).__name__}: {exc}"
            return _Played(History(()), (Violation(_CRASH, 0.0, what),), traceback.format_exc())
        failed = [Violation(_TEST, *visitor.failure)] if visitor.failure else []
        own = [violation for invariant in self.invariants for violation in _broken(invariant, history)]
        return _Played(history, tuple(sorted([*check(history), *own, *failed], key=lambda each: each.at)))

    def _history(self, plan: Plan, visitor: Visitor) -> History:
        try:
            history = play(plan, visit=visitor.visit)
        except MachineUsedError as exc:
            raise CannotBeSimulatedError(str(exc)) from None
        except Exception:
            if visitor.impossible:
                raise CannotBeSimulatedError(visitor.impossible) from None
            raise
        if visitor.skipped:
            raise visitor.skipped
        return history

    def _failed(self, plan: Plan, played: _Played, where: str) -> Outcome:
        rule, plays = played.violations[0].rule, 0

        def fails(candidate: Plan) -> bool:
            nonlocal plays
            plays += 1
            return self._play(candidate).breaks(rule)

        small = shrink(plan, fails, tries=_TRIES)
        note = f"{where}, shrunk from {len(plan.faults)} faults to {len(small.faults)} in {plays} plays"
        again = self._play(small)
        if not again.breaks(rule):
            small, again, note = plan, played, f"{where}; {_UNLIKE}"
        return Outcome("\n".join(self._report(small, again, note)), note)

    def _report(self, plan: Plan, played: _Played, note: str) -> Iterator[str]:
        first = played.violations[0]
        yield plain(played.history)(f"{first.rule}: {first.what}")
        yield f"({note})"
        yield ""
        yield played.crash or tell(played.history, played.violations, plan)
        yield ""
        yield f"replay it: pytest {shlex.quote(self.name)} --hangfm-simulate {encode(plan, made_here())}"


def _broken(invariant: Invariant, history: History) -> Iterator[Violation]:
    """Yield what an author's invariant finds, under its own name."""
    rule = getattr(invariant, "__name__", "invariant")
    try:
        for at, what in invariant(history) or ():
            yield Violation(rule, at, what)
    except Exception as exc:  # noqa: BLE001  an assertion, as a rule
        end = history.events[-1].at if history.events else 0.0
        yield Violation(rule, end, in_words(exc))
