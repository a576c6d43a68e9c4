"""The lines of other users that the bot is to hear, and what became of each. PURE."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pytest_hangfm.simulation.history import (
    Changed,
    Handled,
    HandlerBegan,
    Hearing,
    History,
    MessageStored,
    PassedOver,
    Said,
)

__all__ = ["Call", "Line", "began_anew", "begun_at", "is_for_the_bot", "lines"]

_OF_A_LINE: Final = (Changed, HandlerBegan, Handled)
_ANSWERED_BY_THE_BOT: Final = "/uptime"
"""The app is not given it."""


class Call(NamedTuple):
    """One call of the app's handler with a line."""

    run: int
    began: float
    ended: float = math.inf
    counts: bool = False
    """Whether the line counts as handled then: the bot's stop did not cancel it."""
    commits: bool = False
    """Whether the app itself has it marked as handled, before its handler ends."""


@dataclass(slots=True)
class Line:
    """A line that the bot is to hear.

    Attributes:
        said: The line.
        calls: The calls with it, in order.
        passed_at: When it was reported as passed over, by its number.
        gone_at: When it was edited or taken back.
    """

    said: Said
    calls: list[Call] = field(default_factory=list)
    passed_at: float | None = None
    gone_at: float | None = None

    def take(self, event: Changed | HandlerBegan | Handled, limit: float) -> None:
        """Note what became of it; a call that was cancelled counts after ``limit`` seconds."""
        match event:
            case Changed(at=at):
                self.gone_at = at
            case HandlerBegan(at=at, run=run, commits=commits):
                self.calls.append(Call(run, at, commits=commits))
            case Handled(at=at, run=run, outcome=outcome):
                for number, call in enumerate(self.calls):
                    if call.run == run and call.ended == math.inf:
                        counts = outcome != "cancelled" or at - call.began >= limit
                        self.calls[number] = call._replace(ended=at, counts=counts)
                        return

    @property
    def handled(self) -> bool:
        """Whether a call counts."""
        return any(call.counts for call in self.calls)

    @property
    def may_be_committed(self) -> bool:
        """Whether a crash cut a call off that may have been committed: then no later one need be made."""
        return any(call.commits and call.ended == math.inf for call in self.calls)

    @property
    def name(self) -> str:
        """What sentences call it."""
        epoch = f" of count {self.said.epoch}" if self.said.epoch else ""
        return f"line {self.said.row}{epoch} of {self.said.sender}"


def is_for_the_bot(said: Said, history: History) -> bool:
    """Return whether a line is one that the app is to be given."""
    mine = said.receiver == (history.bot if said.direct else history.group)
    return mine and said.sender != history.bot and said.text.strip() != _ANSWERED_BY_THE_BOT


def lines(history: History) -> Mapping[tuple[int, int], Line]:
    """Return the lines that the app is to be given, by the chat's count and their number in it."""
    found: dict[tuple[int, int], Line] = {}
    for event in history.events:
        if isinstance(event, Said):
            if is_for_the_bot(event, history):
                found[event.epoch, event.row] = Line(event)
        elif isinstance(event, PassedOver):
            for row in event.rows:
                if (line := found.get((event.epoch, row))) is not None:
                    line.passed_at = event.at
        elif isinstance(event, _OF_A_LINE) and (line := found.get((event.epoch, event.row))) is not None:
            line.take(event, history.bounds.handler)
    return found


def begun_at(history: History) -> float:
    """Return when the bot began to hear for the first time: what was said before is none of its business."""
    for event in history.events:
        match event:
            case Hearing(at=at):
                return at
    return math.inf


def began_anew(history: History) -> Mapping[int, float]:
    """Return when, at the latest, each of the chat's counts but the last one ended, by its number.

    What the chat had before is not there any more.
    """
    ended: dict[int, float] = {}
    for event in history.events:
        if isinstance(event, Said | MessageStored):
            for epoch in range(len(ended), event.epoch):
                ended[epoch] = event.at
    return ended
