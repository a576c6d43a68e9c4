"""Plays worlds in a process of its own, so that one that hangs or dies is a verdict like any other."""

import faulthandler
import os
import pickle
import re
import select
import subprocess
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pytest_hangfm.simulation.checker import Violation
from pytest_hangfm.simulation.history import FaultFired, History, journal_hash
from pytest_hangfm.simulation.pairs import pairs_of
from pytest_hangfm.simulation.plan import Plan

__all__ = ["CRASHED", "HUNG", "Rig", "Verdict", "Worker", "serve"]

HUNG: Final = "hang"
"""The rule that a world breaks which does not end."""
CRASHED: Final = "crash"
"""The rule that a world breaks which cannot be played, or not be judged."""

_GRACE: Final = 10.0
"""Seconds until a process is killed that should have ended by itself."""
_LONGEST: Final = 20_000
"""Characters of a traceback."""


@dataclass(frozen=True, slots=True)
class Rig:
    """What plays and judges: functions that another process finds by their names.

    Attributes:
        play: Plays a plan.
        check: Returns what a history violates.
        story: Returns a history and what it violates as a text for people.
    """

    play: Callable[[Plan], History]
    check: Callable[[History], tuple[Violation, ...]]
    story: Callable[[History, tuple[Violation, ...], Plan], str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a play of a plan came to.

    Attributes:
        violations: In the order of the checker.
        seconds: Virtual seconds that were played.
        fired: How many faults of each class had an effect.
        pairs: How many faults of a class had an effect in a state of the bot, by state and class.
        hash: Of the history; empty where there is none.
        story: A text for people, where it was asked for; the traceback of a world that broke.
    """

    violations: tuple[Violation, ...] = ()
    seconds: float = 0.0
    fired: Mapping[str, int] = field(default_factory=dict)
    pairs: Mapping[tuple[str, str], int] = field(default_factory=dict)
    hash: str = ""
    story: str = ""

    def like(self, other: Violation) -> Violation | None:
        """Return the first violation of the same rule; of a crash, the first with the same error."""
        return next((each for each in self.violations if _kind(each) == _kind(other)), None)


def _kind(violation: Violation) -> tuple[str, str]:
    """Return what violations have in common that come from one bug: of a crash its error, but for numbers."""
    return violation.rule, re.sub(r"\d+", "0", violation.what) if violation.rule == CRASHED else ""


class Worker:
    """Plays plan after plan in a process, which is replaced when it has played many, hangs or dies.

    Args:
        rig: What plays and judges.
        limit: Seconds of real time for one world.
        plays: How many worlds one process plays.
    """

    def __init__(self, rig: Rig, *, limit: float, plays: int) -> None:
        self._rig = rig
        self._limit = limit
        self._plays = plays
        self._process: _Process | None = None
        self._lock = threading.Lock()
        self._closed = False

    def ask(self, plan: Plan, *, story: bool = False) -> Verdict:
        """Play a plan and judge it; ``story``: whether the verdict has one.

        Raises:
            InterruptedError: The worker was closed, before or meanwhile.
        """
        with self._lock:  # `close` sees a process, or none begins any more
            if self._closed:
                raise InterruptedError("the worker is closed")
            process = self._process = self._process or _Process(self._rig, self._limit)
        verdict = process.ask(plan, story=story)
        if self._closed:
            raise InterruptedError("the worker is closed")
        if verdict is None or process.plays == self._plays:
            self._process = None
            ending = process.end()
            verdict = verdict or ending
        return verdict

    def close(self) -> None:
        """Kill the process, whatever it does: a call of `ask` in another thread ends, too."""
        with self._lock:
            self._closed = True
            process = self._process
        if process:
            process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if self._process:
            self._process.end()


class _Process:
    """One process, from its begin to its end."""

    def __init__(self, rig: Rig, limit: float) -> None:
        self.plays = 0
        self._limit = limit
        self._folder = tempfile.TemporaryDirectory(prefix="hangbot-simulation-")
        self._last_words = Path(self._folder.name, "last-words")
        self._process = subprocess.Popen(  # noqa: S603  this very Python
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C at a terminal is for this process, which kills that one
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self._send((rig, limit, self._last_words))

    def ask(self, plan: Plan, *, story: bool) -> Verdict | None:
        """Return its verdict, or ``None`` where it ends instead."""
        self.plays += 1
        self._send((plan, story))
        verdicts = self._process.stdout
        assert verdicts is not None  # noqa: S101  for the type checker
        if not select.select([verdicts], [], [], self._limit + _GRACE)[0]:
            self.kill()
        try:
            verdict: Verdict = pickle.load(verdicts)  # noqa: S301  of a process of ours
        except (EOFError, pickle.UnpicklingError):
            return None
        return verdict

    def _send(self, what: object) -> None:
        jobs = self._process.stdin
        assert jobs is not None  # noqa: S101  for the type checker
        with suppress(BrokenPipeError):  # it has ended, as is seen when its verdict is read
            pickle.dump(what, jobs)
            jobs.flush()

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> Verdict:
        """End it; return how it ended as the verdict on the world that it played."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):  # what could not be sent to it any more
                pipe.close() if pipe else None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)
        self._process.kill()
        code = self._process.wait()
        words = self._last_words.read_text("utf-8", "replace") if self._last_words.exists() else ""
        self._folder.cleanup()
        if words.startswith("Timeout"):
            what = f"the world did not end within {self._limit:g} s of real time"
            return Verdict((Violation(HUNG, 0.0, what),), story=words[:_LONGEST])
        what = f"the process that played the world ended with code {code}"
        return Verdict((Violation(CRASHED, 0.0, what),), story=words[:_LONGEST])


def serve() -> None:
    """Play what is asked for on standard input, until that ends: a process's whole life."""
    jobs, verdicts = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a bot's author prints goes elsewhere
    rig, limit, last_words = pickle.load(jobs)  # noqa: S301  of a process of ours
    with last_words.open("w", encoding="utf-8") as file, suppress(EOFError, BrokenPipeError):
        faulthandler.enable(file)
        while True:
            plan, story = pickle.load(jobs)  # noqa: S301  likewise
            faulthandler.dump_traceback_later(limit, exit=True, file=file)
            verdict = _judge(plan, rig, with_story=story)
            faulthandler.cancel_dump_traceback_later()
            pickle.dump(verdict, verdicts)
            verdicts.flush()


def _judge(plan: Plan, rig: Rig, *, with_story: bool) -> Verdict:
    try:
        history = rig.play(plan)
        violations = rig.check(history)
        text = rig.story(history, violations, plan) if with_story else ""
    except Exception as exc:  # noqa: BLE001  whatever it is, the search goes on
        what = f"the world cannot be played: {_cause(exc)}"
        return Verdict((Violation(CRASHED, 0.0, what),), story=traceback.format_exc()[-_LONGEST:])
    hits = {(event.number, event.kind) for event in history.of(FaultFired)}
    return Verdict(
        violations,
        seconds=history.events[-1].at if history.events else 0.0,
        fired=Counter(kind for _, kind in hits),
        pairs=pairs_of(history),
        hash=journal_hash(history),
        story=text,
    )


def _cause(exc: BaseException) -> str:
    """Return the first error that is no group of others, and the function that raised it."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    frames = traceback.extract_tb(exc.__traceback__)
    where = f", in {frames[-1].name} of {Path(frames[-1].filename).name}" if frames else ""
    return f"{type(exc).__name__}: {exc}{where}"
