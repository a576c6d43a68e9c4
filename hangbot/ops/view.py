"""What the page shows, as rows of JSON: the room, messages, what waits. PURE."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from hangbot.bot.ports import RoomView
from hangbot.delivery.record import OutboxRow, Step
from hangbot.hangfm.wire.actions import ACTIONS

__all__ = ["deliveries", "health_row", "held", "room_row", "trouble_row"]

Row: TypeAlias = dict[str, Any]
Show: TypeAlias = Callable[[str], str]
"""Makes a text of others safe to show: secrets masked, nothing hidden in it."""

MOST_DELIVERIES: Final = 40
MOST_HELD: Final = 10
_MOST_DJS: Final = 20
_LONGEST: Final = 240
_LONGEST_NAME: Final = 80


def health_row(row: Mapping[str, Any], hide: Show) -> Row:
    """Return the row of ``/healthz`` with what the page has to hide besides masked in it."""
    return {
        **row,
        "parts": [
            part
            if part["ok"]
            else {**part, "sentence": hide(part["sentence"]), "remedy": hide(part["remedy"])}
            for part in row["parts"]
        ],
    }


def room_row(view: RoomView, show: Show) -> Row:
    """Return what plays, who is at the decks, and how the song is liked."""
    playing = view.now_playing() or {}
    song = playing.get("song")
    song = song if isinstance(song, Mapping) else {}
    counts = view.data.get("voteCounts")
    votes = counts if isinstance(counts, Mapping) else {}
    users = view.data.get("allUsers")
    return {
        "name": _name(view.room_name(), show),
        "track": _name(song.get("trackName"), show),
        "artist": _name(song.get("artistName"), show),
        "starts_ms": _number(playing.get("startTime")),
        "ends_ms": _number(playing.get("endTime")),
        "votes": [_number(votes.get(kind)) or 0 for kind in ("likes", "dislikes", "stars")],
        "djs": [_dj(dj, view, show) for dj in view.djs()[:_MOST_DJS]],
        "people": len(users) if isinstance(users, Sequence) else 0,
    }


def deliveries(rows: Iterable[OutboxRow], steps: Iterable[Step], show: Show) -> list[Row]:
    """Return the newest messages and room actions, newest first.

    Args:
        rows: The newest messages of the outbox.
        steps: The last step of each message and action, the latest first.
        show: Makes a text safe.
    """
    last = {step.id: step for step in steps}
    shown = []
    for row in rows:
        step = last.pop(row.message.id, None)
        shown.append(_message(row, show) | {"doing": "" if row.end or not step else _doing(step, show)})
    shown += (_action(step, show) for step in last.values() if _is_action(step))
    return sorted(shown, key=lambda each: float(each["at"]), reverse=True)[:MOST_DELIVERIES]


def trouble_row(row: OutboxRow, show: Show) -> Row:
    """Return a message that did not arrive, with what to do about it."""
    return _message(row, show) | {"reason": _cut(row.reason, show), "remedy": _cut(row.remedy, show)}


def held(steps: Iterable[Step], now: float, show: Show) -> Iterator[Row]:
    """Yield what waits for something else than its turn, the latest first, and for what."""
    found = (step for step in steps if step.kind == "waiting" and now < step.at + step.seconds + _GRACE)
    for step, _ in zip(found, range(MOST_HELD), strict=False):
        yield {"id": show(step.id), "why": _doing(step, show), "at": step.at}


_GRACE: Final = 5.0
"""Seconds after which a wait that is over stands for nothing any more."""


def _message(row: OutboxRow, show: Show) -> Row:
    message = row.message
    text = f"a direct message of {len(message.text)} letters" if message.direct else _cut(message.text, show)
    return {
        "id": show(message.id),
        "text": text,
        "state": row.state,
        "tier": row.tier,
        "attempts": row.attempts,
        "at": row.accepted_at,
        "ms": None if row.settled_at is None else round((row.settled_at - row.accepted_at) * 1000),
    }


def _is_action(step: Step) -> bool:
    """Return whether it is a room action, whose id begins with its name, and no older message."""
    name, dash, _ = step.id.rpartition("-")
    return bool(dash) and name in ACTIONS


def _action(step: Step, show: Show) -> Row:
    end = step.settlement
    return {
        "id": show(step.id),
        "text": f"room action {step.id.rpartition('-')[0]}",
        "state": end.state if end else "sending",
        "tier": end.tier if end else None,
        "attempts": step.attempt,
        "at": step.at,
        "ms": None,
        "doing": "" if end else _doing(step, show),
    }


def _doing(step: Step, show: Show) -> str:
    match step.kind:
        case "attempt":
            return f"attempt {step.attempt} is on its way"
        case "answer" | "asked":
            return _cut(step.detail, show)
        case "waiting" if step.detail.startswith("held up"):
            return _cut(step.detail, show)
        case "waiting":
            return f"tries again after {step.seconds:.1f} s"
        case _:
            return ""


def _dj(dj: Mapping[str, Any], view: RoomView, show: Show) -> str:
    uuid = dj.get("uuid")
    nickname = view.nickname(uuid) if isinstance(uuid, str) else None
    return _name(nickname or uuid, show) or "?"


def _name(value: object, show: Show) -> str:
    return show(value)[:_LONGEST_NAME] if isinstance(value, str) else ""


def _cut(text: str, show: Show) -> str:
    shown = show(text.strip())
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def _number(value: object) -> float | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if fits else None  # type: ignore[return-value]  # as just asked
