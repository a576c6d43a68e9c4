"""Health as a row of JSON, and that row as text. PURE."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from hangbot.clock import iso_time
from hangbot.health import Health, PartHealth

__all__ = ["SCHEMA", "Identity", "lines", "summary", "to_row"]

Row: TypeAlias = dict[str, Any]

SCHEMA: Final = 1
_MINUTE: Final = 60
_HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class Identity:
    """Which bot it is.

    Attributes:
        version: That of hangbot.
        pid: Of its process.
        room: The room's uuid.
        bot: Its name, where it has one.
        started_at: When it started, in seconds since 1970.
    """

    version: str
    pid: int
    room: str
    bot: str | None
    started_at: float


def to_row(health: Health, who: Identity, *, wall: float, hide: Callable[[str], str]) -> Row:
    """Return what ``/healthz`` and ``hangbot status --json`` answer.

    Args:
        health: What is true.
        who: Which bot it is.
        wall: The time at which it is true, in seconds since 1970.
        hide: Masks secrets in a text.
    """

    def part_row(part: PartHealth) -> Row:
        return {
            "part": part.name,
            "ok": part.ok,
            "red": part.red,
            "warns": part.warns,
            "since": iso_time(wall - (health.at - part.since), precise=True),
            "for_s": round(max(0.0, health.at - part.since), 1),
            "sentence": hide(part.sentence),
            "remedy": hide(part.remedy),
            "below": part.cause,
        }

    return {
        "schema": SCHEMA,
        "live": health.live,
        "ready": health.ready,
        "waits": list(health.waits),
        "red": [condition.part for condition in health.red],
        "at": iso_time(wall, precise=True),
        "started_at": iso_time(who.started_at, precise=True),
        "pid": who.pid,
        "version": who.version,
        "room": who.room,
        "bot": who.bot,
        "parts": [part_row(part) for part in health.parts],
    }


def summary(row: Mapping[str, Any]) -> str:
    """Say in one line whether the bot is ready, and if not, why."""
    if row.get("ready"):
        return "ready"
    named = {part["part"]: part for part in row.get("parts", ())}
    why = [f"{name}: {named[name]['sentence']}" for name in row.get("red", ()) if name in named]
    if not row.get("live"):
        why.insert(0, "its loop stands still")
    if waits := row.get("waits"):
        why.append(f"waits for: {', '.join(waits)}")
    return f"not ready: {'; '.join(why)}" if why else "not ready"


def lines(row: Mapping[str, Any]) -> list[str]:
    """Return a row as text: a line for each part, what comes from another below that one."""
    who = f"{row.get('bot') or 'the bot'} (pid {row.get('pid')}) in {row.get('room')}"
    shown = [f"{who}: {summary(row)}"]
    parts: Sequence[Mapping[str, Any]] = row.get("parts", ())
    names = {part["part"] for part in parts}
    for part in parts:
        if part["ok"] or part["below"] not in names:
            shown += _part_lines(part, "")
            for other in parts:
                if not other["ok"] and other["below"] == part["part"]:
                    shown += _part_lines(other, "  ")
    return shown


def _part_lines(part: Mapping[str, Any], indent: str) -> list[str]:
    for_s = _span(float(part["for_s"]))
    if part["ok"]:
        return [f"{indent}[OK]    {part['part']}: for {for_s}"]
    mark = "[RED]  " if part["red"] else "[WARN] " if part["warns"] else "[WAIT] "
    if part["below"]:
        mark = "[BELOW]"
    shown = [f"{indent}{mark} {part['part']}: {part['sentence']}, for {for_s}"]
    return shown if part["below"] else [*shown, f"{indent}        {part['remedy']}"]


def _span(seconds: float) -> str:
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.0f} h"
