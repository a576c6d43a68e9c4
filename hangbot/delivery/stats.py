"""Figures over messages: what a report, `outbox stats` and a status page show."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from hangbot.delivery.record import MessageTiming, OutboxRow

__all__ = ["Stats", "compute_stats"]


@dataclass(frozen=True, slots=True)
class Stats:
    """Numbers of messages, and how long the delivered ones took from accepted to settled."""

    delivered: int
    tier1: int
    tier2: int
    failed: int
    uncertain: int
    queued: int
    expired: int
    dropped: int
    first_try_rate: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    oldest_queued_s: float | None

    def as_row(self) -> dict[str, float | int | None]:
        """Return the row of the contract."""
        return asdict(self)


def compute_stats(rows: Sequence[OutboxRow | MessageTiming], now: float) -> Stats:
    """Count messages and rank their latencies.

    Args:
        rows: The messages.
        now: Seconds since the epoch, for the age of the oldest one that waits.
    """
    states = Counter(row.state for row in rows)
    tiers = Counter(row.tier for row in rows if row.state == "delivered")
    ended = states["delivered"] + states["failed"] + states["uncertain"]
    times = sorted(
        max(0.0, row.settled_at - row.accepted_at) * 1000  # the clock may have been set back meanwhile
        for row in rows
        if row.settled_at is not None and row.state == "delivered"
    )
    waiting = [row.accepted_at for row in rows if row.state in {"queued", "sending"}]
    return Stats(
        delivered=states["delivered"],
        tier1=tiers[1],
        tier2=tiers[2],
        failed=states["failed"],
        uncertain=states["uncertain"],
        queued=len(waiting),
        expired=states["expired"],
        dropped=states["dropped"],
        first_try_rate=round(tiers[1] / ended, 4) if ended else None,
        p50_ms=_quantile(times, 50),
        p95_ms=_quantile(times, 95),
        p99_ms=_quantile(times, 99),
        oldest_queued_s=round(max(0.0, now - min(waiting)), 3) if waiting else None,
    )


def _quantile(ranked: Sequence[float], percent: int) -> float | None:
    """Return the nearest-rank quantile of ranked values: the least that so many percent do not exceed."""
    if not ranked:
        return None
    return round(ranked[-(-percent * len(ranked) // 100) - 1], 1)
