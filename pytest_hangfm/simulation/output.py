"""What the command shows: failures, counts, and how far a search is."""

import sys
import time
from collections.abc import Collection, Iterator
from typing import Final, TextIO

from hangbot.text import encodable, printable_lines
from pytest_hangfm.simulation.pairs import table
from pytest_hangfm.simulation.plan import Plan
from pytest_hangfm.simulation.search import JUDGED_FROM, Failure, Summary
from pytest_hangfm.simulation.worker import CRASHED, HUNG, Verdict

__all__ = ["Progress", "broken", "counts", "described", "show"]

_EACH: Final = 5.0
"""Seconds between two lines of progress."""
_LINE: Final = "-" * 72


def described(failure: Failure) -> Iterator[str]:
    """Yield a failure as lines: what was broken, in which world, its story, and how to replay it."""
    yield _LINE
    yield f"seed {failure.seed} FAILED: {failure.rule}: {failure.what}"
    if failure.note:
        yield f"  {failure.note}"
    if failure.rule in (CRASHED, HUNG):  # otherwise the story begins with it
        yield from _world(failure.plan)
    yield failure.story
    yield f"replay it: python -m pytest_hangfm.simulation --replay {failure.token}"


def _world(plan: Plan) -> Iterator[str]:
    settings = "".join(f", {name}={text}" for name, text in plan.env.items())
    yield f"  {plan.seconds:g} s, {plan.users} users, something every {plan.pace:g} s{settings}"
    for fault in plan.faults:
        args = "".join(f", {name}={value!r}" for name, value in sorted(fault.args.items()))
        yield f"  at {fault.at:g} s: {fault.kind} for {fault.lasts:g} s{args}"


def broken(verdict: Verdict) -> Iterator[str]:
    """Yield what a play of a plan violated, a line each."""
    for violation in verdict.violations:
        yield f"FAILED: {violation.rule}: {violation.what}"
    if not verdict.violations:
        yield "no rule is broken"


def counts(summary: Summary, kinds: Collection[str], *, with_pairs: bool) -> Iterator[str]:
    """Yield which class of faults had an effect how often, and which had it too rarely."""
    yield f"faults that had an effect, in {summary.seeds} worlds:"
    width = max(map(len, kinds), default=0)
    idle = {} if summary.interrupted else summary.idle(kinds)
    for kind in sorted(kinds):
        yield f"  {kind:{width}} {summary.fired[kind]:6}{'  TOO FEW' if kind in idle else ''}"
    if with_pairs:
        yield "where they met the bot:"
        yield from table(summary.pairs, kinds)
    if idle:
        yield (
            f"FAILED: {', '.join(idle)}: too few had an effect; from {JUDGED_FROM} seeds on there is to be "
            "one in five worlds, since a schedule that does nothing proves nothing"
        )


class Progress:
    """How far a search is, on standard error: a terminal has one line of it, a file one now and then.

    Args:
        seeds: How many worlds are to be played.
    """

    def __init__(self, seeds: int) -> None:
        self._seeds = seeds
        self._began = time.monotonic()
        self._next = self._began + _EACH
        self._on_terminal = sys.stderr.isatty()

    def show(self, summary: Summary) -> None:
        """Show it after a world."""
        if self._on_terminal:
            sys.stderr.write(f"\r{self._line(summary)}\x1b[K")
            sys.stderr.flush()
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + _EACH
            show(self._line(summary), sys.stderr)

    def clear(self) -> None:
        """Make room for another line."""
        if self._on_terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def end(self, summary: Summary) -> None:
        """Show it for the last time."""
        self.clear()
        show(f"{'interrupted: ' if summary.interrupted else ''}{self._line(summary)}", sys.stderr)

    def _line(self, summary: Summary) -> str:
        return (
            f"{summary.seeds} of {self._seeds} worlds, {summary.virtual_hours:.1f} virtual hours, "
            f"{len(summary.failures)} failed, {time.monotonic() - self._began:.0f} s"
        )


def show(text: str, stream: TextIO | None = None) -> None:
    """Print a text of one line or several, safe for a terminal; on standard output by default."""
    to = stream or sys.stdout
    to.write(encodable(printable_lines(text), to) + "\n")
    to.flush()
