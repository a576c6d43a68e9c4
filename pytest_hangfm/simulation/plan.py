"""What a simulated world is to be, as a value: it can be drawn, shrunk, written down and played. PURE."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

__all__ = ["Fault", "Plan"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        kind: The name of its class in `pytest_hangfm.simulation.faults.FAULTS`.
        at: When, in virtual seconds since the world began.
        lasts: For how many seconds.
        args: What else its class draws: JSON values.
    """

    kind: str
    at: float
    lasts: float = 0.0
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """A world and what goes wrong in it; two plays of one plan are the same.

    Attributes:
        seed: Every die of the world is thrown by it, the faults' apart: fewer faults leave the traffic alike.
        seconds: How long people talk and things go wrong; calm and the stop come after.
        users: Other users in the bot's room.
        pace: Seconds between two things that they do, in the mean.
        env: The configuration, where it is not the default.
        faults: In the order of time.
    """

    seed: int
    seconds: float = 480.0
    users: int = 3
    pace: float = 4.0
    env: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    def with_faults(self, faults: tuple[Fault, ...]) -> Self:
        """Return the same world with these faults only."""
        return replace(self, faults=faults)

    def as_json(self) -> str:
        """Return it as one line; `from_json` reads it."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `as_json` has written.

        Raises:
            ValueError: It is no plan.
        """
        try:
            read = json.loads(text)
            faults = tuple(Fault(**fault) for fault in read.pop("faults"))
            plan = cls(**read, faults=faults)
            wrong = next(_wrong(plan), "")
        except (TypeError, KeyError, AttributeError, ValueError, RecursionError) as exc:
            raise ValueError(f"no plan: {exc}") from exc
        if wrong:
            raise ValueError(f"no plan: {wrong}")
        return plan


def _wrong(plan: Plan) -> Iterator[str]:
    """Yield what a plan that was read has in place of what it should have."""
    if not isinstance(plan.seed, int) or not isinstance(plan.users, int) or plan.users < 0:
        yield "the seed and the users are whole numbers"
    if not _is_time(plan.seconds) or not _is_time(plan.pace) or not plan.pace:
        yield "the seconds and the pace are times"
    if not all(isinstance(text, str) for pair in dict(plan.env).items() for text in pair):
        yield "the configuration is names and texts"
    for fault in plan.faults:
        if not isinstance(fault.kind, str) or not isinstance(fault.args, dict):
            yield "a fault has the name of its class, and its arguments by name"
        if not _is_time(fault.at) or not _is_time(fault.lasts):
            yield "a fault begins and lasts in seconds"


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0
