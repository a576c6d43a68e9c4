"""Faults as values: where to hit, what to do, how often."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["DEAF", "FRAME_KINDS", "KINDS", "POINTS", "REQUEST_KINDS", "Fault", "Faults"]

POINTS: Final = frozenset(
    {
        "gateway.token",
        "gateway.*",
        "chat.me",
        "chat.group",
        "chat.join",
        "chat.send",
        "chat.lookup",
        "chat.history",
        "chat.ws",
        "chat.*",
        "room.connect",
        "room.welcome",
        "room.joinRoom",
        "room.action",
        "room.message",
        "room.ping",
        "room.*",
    }
)
"""Where a fault can hit. A point that ends in ``.*`` is hit by everything of that service."""

REQUEST_KINDS: Final = frozenset(
    {"refuse", "status", "hang", "garbage", "delay", "cut_before_store", "cut_after_store"}
)
FRAME_KINDS: Final = frozenset({"drop", "duplicate", "reorder", "close", "abort", "close_deliberate"})
DEAF: Final = "deaf"
"""A chat connection that it hits answers pings and forwards nothing, for as long as it lives."""
NAMED: Final = frozenset({"room.action", "room.message"})
"""Points whose passages have names of their own: a fault may be about one of them."""
KINDS: Final = REQUEST_KINDS | FRAME_KINDS | {DEAF}

_LOWEST_STATUS: Final = 100
_HIGHEST_STATUS: Final = 599


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong on purpose.

    Attributes:
        id: Number of the fault, from 1.
        on: The point that it hits.
        do: Its kind.
        name: The room action (``voteOnSong``) or room message (``updatedUserData``) that it is about, by its
            name on the wire; ``None``: any.
        times: How often it hits; 0 means for ever.
        after: How many passages of the point it lets through first.
        ms: How long ``delay`` holds the answer, or after how long a cut comes.
        status: Status of a ``status`` fault.
        headers: Headers of its answer.
        body: Body of its answer; text goes out as it is, anything else as JSON.
    """

    id: int
    on: str
    do: str
    times: int = 1
    after: int = 0
    ms: float | None = None
    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: Any = None
    name: str | None = None

    def matches(self, point: str, name: str | None = None, *, exact: bool = False) -> bool:
        """Whether a passage of ``point`` concerns this fault; ``exact`` leaves out ``service.*``."""
        if self.name is not None and self.name != name:
            return False
        return self.on == point or (not exact and self.on.endswith(".*") and point.startswith(self.on[:-1]))

    def as_row(self) -> dict[str, Any]:
        """The fault as JSON: what was asked for, without what was left out."""
        row: dict[str, Any] = {"id": self.id, "on": self.on, "do": self.do, "times": self.times}
        row["after"] = self.after
        for name in ("name", "ms", "status", "headers", "body"):
            value = getattr(self, name)
            if value is not None:
                row[name] = dict(value) if name == "headers" else value
        return row


@dataclass(slots=True)
class _Armed:
    fault: Fault
    passed: int = 0
    hits: int = field(default=0)

    @property
    def spent(self) -> bool:
        return self.fault.times > 0 and self.hits >= self.fault.times


class Faults:
    """The faults of one sandbox, in the order in which they were added."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._all: dict[int, _Armed] = {}
        self._live: list[_Armed] = []

    def add(  # noqa: PLR0913  the fields of a fault, by name
        self,
        on: str,
        do: str,
        *,
        times: int = 1,
        after: int = 0,
        ms: float | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,  # noqa: ANN401  any JSON value
        name: str | None = None,
    ) -> Fault:
        """Arm a fault.

        Raises:
            ValueError: The point or the kind is unknown, they do not go together, or a
                number is out of range; the message says what is possible.
        """
        fault = Fault(next(self._ids), on, do, times, after, ms, status, headers, body, name)
        _check(fault)
        armed = _Armed(fault)
        self._all[fault.id] = armed
        self._live.append(armed)
        return fault

    @property
    def armed(self) -> bool:
        """Whether any fault still waits to hit."""
        return bool(self._live)

    def take(
        self,
        point: str,
        kinds: frozenset[str] | None = None,
        *,
        exact: bool = False,
        name: str | None = None,
    ) -> Fault | None:
        """Count a passage of ``point``; return the fault that hits it, if any.

        Args:
            point: What is being passed.
            kinds: Only faults of one of these kinds concern this passage; ``None`` = all.
            exact: Only faults on this very point do, none on ``service.*``.
            name: The name of what passes, where it has one.
        """
        if not self._live:
            return None
        for armed in self._live:
            fault = armed.fault
            if not fault.matches(point, name, exact=exact) or (kinds is not None and fault.do not in kinds):
                continue
            if armed.passed < armed.fault.after:
                armed.passed += 1
                continue
            armed.hits += 1
            if armed.spent:
                self._live.remove(armed)
            return armed.fault
        return None

    def list(self) -> list[dict[str, Any]]:
        """Every fault as a row, with its ``hits`` so far."""
        return [armed.fault.as_row() | {"hits": armed.hits} for armed in self._all.values()]

    def hits(self, fault_id: int) -> int:
        """How often a fault has hit.

        Raises:
            KeyError: There is no fault of that number.
        """
        return self._all[fault_id].hits

    def remove(self, fault_id: int) -> None:
        """Disarm and forget one fault.

        Raises:
            KeyError: There is no fault of that number.
        """
        armed = self._all.pop(fault_id)
        if armed in self._live:
            self._live.remove(armed)

    def clear(self) -> None:
        """Disarm and forget all faults."""
        self._all.clear()
        self._live.clear()

    def leftovers(self) -> tuple[Fault, ...]:
        """The faults that never hit: a test that armed them did not test what it meant to."""
        return tuple(armed.fault for armed in self._all.values() if armed.hits == 0)


def _check(fault: Fault) -> None:
    if fault.on not in POINTS:
        raise ValueError(f"no such point: {fault.on!r}; there are {', '.join(sorted(POINTS))}")
    if fault.do not in KINDS:
        raise ValueError(f"no such deed: {fault.do!r}; there are {', '.join(sorted(KINDS))}")
    if fault.do in FRAME_KINDS and not (fault.on.startswith("room.") or fault.on == "chat.ws"):
        raise ValueError(f"{fault.do!r} is for frames (room.* and chat.ws), not for {fault.on!r}")
    if fault.do == DEAF and fault.on != "chat.ws":
        raise ValueError(f"{DEAF!r} is for the chat's connections (chat.ws), not for {fault.on!r}")
    if fault.name is not None and (
        fault.on not in NAMED or not isinstance(fault.name, str) or not fault.name
    ):
        raise ValueError(f"name is that of one action or message, on {' or '.join(sorted(NAMED))}")
    for name, number in (("times", fault.times), ("after", fault.after)):
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ValueError(f"{name} must be a whole number, 0 or more")
    _check_answer(fault)


def _check_answer(fault: Fault) -> None:
    ms, status, headers = fault.ms, fault.status, fault.headers
    if ms is not None and (
        isinstance(ms, bool) or not isinstance(ms, int | float) or not 0 <= ms < float("inf")
    ):
        raise ValueError("ms must be a number of milliseconds, 0 or more")
    if fault.do == "delay" and ms is None:
        raise ValueError("delay needs ms: how long the answer is held back")
    if status is not None and (
        isinstance(status, bool)
        or not isinstance(status, int)
        or not _LOWEST_STATUS <= status <= _HIGHEST_STATUS
    ):
        raise ValueError("status must be an HTTP status, 100 to 599")
    if headers is not None and not (
        isinstance(headers, Mapping)
        and all(isinstance(part, str) for pair in headers.items() for part in pair)
    ):
        raise ValueError("headers must be an object of texts")
    if headers and any(end in part for pair in headers.items() for part in pair for end in "\r\n"):
        raise ValueError("headers cannot hold the end of a line")
    if headers and any("\ud800" <= sign <= "\udfff" for pair in headers.items() for sign in "".join(pair)):
        raise ValueError("headers cannot hold half a character (a surrogate without its other half)")
