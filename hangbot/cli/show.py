"""Messages of the outbox as lines and JSON. PURE."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from hangbot.delivery.record import OutboxRow, Step
from hangbot.delivery.stats import Stats
from hangbot.text import printable

__all__ = [
    "message_row",
    "report",
    "stored_line",
    "table",
]

_LONGEST_SHOWN = 60


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Align rows in columns; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def report(rows: Sequence[OutboxRow], figures: Stats) -> Iterator[str]:
    """Show messages and what they add up to."""
    if rows:
        heading = ("id", "state", "tier", "attempts", "time", "text")
        yield from table([heading, *(_cells(row) for row in rows)])
    rate = "-" if figures.first_try_rate is None else f"{figures.first_try_rate:.1%}"
    yield (
        f"delivered {figures.delivered} (first try {rate}), retried {figures.tier2}, "
        f"failed {figures.failed}, uncertain {figures.uncertain}, left in the outbox {figures.queued}, "
        f"p50 {_ms(figures.p50_ms)}, p95 {_ms(figures.p95_ms)}"
    )


def _cells(row: OutboxRow) -> tuple[str, ...]:
    time = "-" if row.settled_at is None else _ms((row.settled_at - row.accepted_at) * 1000)
    tier = "-" if row.tier is None else str(row.tier)
    return row.message.id, row.state, tier, str(row.attempts), time, _short(row.message.text)


def stored_line(row: OutboxRow) -> str:
    """Show a message on one line, with the reason where it did not arrive."""
    tier = f" tier {row.tier}" if row.tier else ""
    reason = f" ({row.reason})" if row.reason else ""
    return f"{row.message.id}  {row.state}{tier}{reason}  -> {row.message.to}: {_short(row.message.text)}"


def message_row(row: OutboxRow, history: Sequence[Step] | None = None) -> dict[str, Any]:
    """Return the contract's JSON of a message."""
    shown: dict[str, Any] = {
        "id": row.message.id,
        "to": row.message.to,
        "state": row.state,
        "tier": row.tier,
        "attempts": row.attempts,
        "text": row.message.text,
        "accepted_at": _at(row.accepted_at),
        "settled_at": _at(row.settled_at),
        "reason": row.reason,
        "remedy": row.remedy,
    }
    if history is not None:
        shown["history"] = [
            {"at": _at(step.at), "event": step.kind, "detail": step.detail} for step in history
        ]
    return shown


def _at(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _short(text: str) -> str:
    line = printable(text.strip())
    return line if len(line) <= _LONGEST_SHOWN else line[: _LONGEST_SHOWN - 1] + "~"
