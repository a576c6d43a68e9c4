"""What deliveries cost, as numbers: kept test by test, written once a run beside Allure's results.

A test's numbers travel on its report, so that it does not matter in which process it ran.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hangbot import Step

__all__ = ["Measures", "measures_of", "percentile"]


def measures_of(steps: Sequence[Step], *, disturbed: bool = False) -> dict[str, Any]:
    """Return the numbers of one test, ready to cross processes.

    An acknowledgement that took no time at all was measured on a clock that the test moves, and says
    nothing about speed.

    Args:
        steps: Its deliveries.
        disturbed: Whether a fault hit: then a second try was the point of the test, and counts neither way.
    """
    ends = [
        step.settlement
        for step in steps
        if step.settlement is not None and step.settlement.state == "delivered" and not disturbed
    ]
    return {
        "acks_ms": [
            round(step.seconds * 1000, 3)
            for step in steps
            if step.kind == "answer" and step.detail.startswith("acknowledged") and step.seconds > 0
        ],
        "delivered": len(ends),
        "first_try": sum(end.tier == 1 for end in ends),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of all does not exceed (the nearest rank); 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(1, ceil(share * len(ordered))) - 1]


@dataclass(slots=True)
class Measures:
    """The numbers of a run.

    Attributes:
        acks_ms: Milliseconds from a send to its acknowledgement.
        delivered: Messages that arrived, in tests in which no fault hit.
        first_try: Those acknowledged on the first attempt.
    """

    acks_ms: list[float] = field(default_factory=list)
    delivered: int = 0
    first_try: int = 0

    def add(self, measures: Mapping[str, Any]) -> None:
        """Take the numbers of one test."""
        self.acks_ms += measures["acks_ms"]
        self.delivered += measures["delivered"]
        self.first_try += measures["first_try"]

    def values(self) -> dict[str, float]:
        """Return each metric by its key; what nothing was measured of is left out."""
        found: dict[str, float] = {}
        if self.acks_ms:
            found["hangfm.ack.p50"] = round(percentile(self.acks_ms, 0.5), 3)
            found["hangfm.ack.p95"] = round(percentile(self.acks_ms, 0.95), 3)
            found["hangfm.ack.max"] = round(max(self.acks_ms), 3)
        if self.delivered:
            found["hangfm.first_try"] = round(100 * self.first_try / self.delivered, 1)
            found["hangfm.delivered"] = self.delivered
        return found

    def write(self, folder: Path, start_ms: int, stop_ms: int) -> None:
        """Write Allure's metrics file; without anything measured none."""
        rows = [
            {"id": str(uuid.uuid4()), "key": key, "value": value, "start": start_ms, "stop": stop_ms}
            for key, value in self.values().items()
        ]
        if rows:
            path = folder / f"{uuid.uuid4()}-perf.json"
            path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
