"""That the bot comes back, stays, and ends when it is asked to. PURE."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from pytest_hangfm.simulation.checker.timeline import Run, Timeline, overlap
from pytest_hangfm.simulation.checker.verdict import Finding
from pytest_hangfm.simulation.history import FaultBegan, History, Logged, Opened, Presence

__all__ = ["back", "lives", "state", "stopped"]

_ROOM: Final = frozenset({"room", "process", "token"})
_STATE_LOST: Final = "room_lost"
_STATE_WORDS: Final = "[SOCKET] state lost"
_REMOVALS: Final = frozenset({"kick", "ban"})
"""Faults that end a process, by design."""
_WAITED_FOR: Final = frozenset({"file locked", "disk slow"})
"""Faults of the disk that end none: they are waited for, however long they last."""


def back(history: History) -> Iterator[Finding]:
    """Soon after the last fault the bot is in the room, and stays."""
    timeline = Timeline(history)
    presence = [(event.at, event.present) for event in history.of(Presence)]
    for calm in timeline.calms(_ROOM):
        due = calm.begin + history.bounds.back
        if due >= calm.end:
            continue
        number = bisect_right(presence, due, key=lambda seen: seen[0])
        if number == 0 or not presence[number - 1][1]:
            yield due, f"the bot was not in the room {history.bounds.back:g} s after trouble had ended"
        elif (left := _leaves(presence, number, calm.end)) is not None:
            yield left, "the bot left the room, and nothing went wrong"


def _leaves(presence: Sequence[tuple[float, bool]], first: int, end: float) -> float | None:
    if first < len(presence) and presence[first][0] < end and not presence[first][1]:
        return presence[first][0]
    return None


def state(history: History) -> Iterator[Finding]:
    """The state of the room is lost only where something went wrong since it was last whole, or just before.

    What the room did not say shows when something else does not fit it, or a song is over that did not end.
    """
    timeline, whole_at = Timeline(history), 0.0
    for event in history.events:
        if isinstance(event, Opened) and event.service == "room":
            whole_at = event.at
        if not isinstance(event, Logged) or event.action != _STATE_LOST:
            continue
        had_cause = timeline.in_trouble(whole_at, event.at, _ROOM, after=history.bounds.back)
        if event.text.startswith(_STATE_WORDS) and not had_cause:
            yield event.at, f"the state of the room was lost, and nothing went wrong: {event.text}"


def stopped(history: History) -> Iterator[Finding]:
    """A process that is asked to stop ends within the drain limit and a little, and what its disk takes."""
    timeline = Timeline(history)
    stands_still = timeline.troubles({"outbox"})
    for run in timeline.runs.values():
        if run.stop_asked is None:
            continue
        ended = min(run.ended, timeline.end)
        limit = history.bounds.drain + history.bounds.after_drain
        limit += overlap(stands_still, run.stop_asked, ended)
        if ended - run.stop_asked > limit:
            yield (
                run.stop_asked + limit,
                f"process {run.number} had not stopped {limit:g} s after it was asked",
            )


def lives(history: History) -> Iterator[Finding]:
    """A process ends when it is asked to, without an error, or because of a moderator or its disk."""
    timeline = Timeline(history)
    removals = [event.at for event in history.of(FaultBegan) if event.kind in _REMOVALS]
    for run in timeline.runs.values():
        if run.crashed or run.ended > timeline.end:
            continue
        wrong = run.error or ("nothing" if run.stop_asked is None else "")
        if wrong and not _has_cause(run, timeline, removals, history.bounds.back):
            yield run.ended, f"process {run.number} ended with {wrong}, and nothing made it"


def _has_cause(run: Run, timeline: Timeline, removals: Sequence[float], after: float) -> bool:
    if any(at <= run.ended for at in removals):
        return True
    return timeline.in_trouble(run.began, run.ended, {"outbox"}, after=after, but=_WAITED_FOR)
