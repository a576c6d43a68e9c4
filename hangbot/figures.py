"""What a bot counts while it works: one `Figures` a bot, into which its parts count. PURE.

A count is a dictionary's entry. `hangbot.ops.metrics` reads `Figures.all`, where it is installed.
Times are monotonic seconds, as the bot's clock counts them.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

__all__ = ["MOST_SERIES", "Counter", "Figure", "Figures", "Histogram", "Moment"]

Labels: TypeAlias = tuple[str, ...]

MOST_SERIES: Final = 64
"""Combinations of labels that a figure has; what would be one more counts as ``other``."""

ACK_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
HANDLER_BUCKETS: Final = (0.01, 0.05, 0.25, 1.0, 5.0, 30.0)


class Counter:
    """Something that only goes up.

    Args:
        name: As Prometheus shows it.
        about: What it is, in a sentence.
        labels: What it is counted by.
        starts: The labels that it has, at 0, before the first of them is counted.
    """

    def __init__(self, name: str, about: str, *labels: str, starts: tuple[Labels, ...] = ()) -> None:
        self.name = name
        self.about = about
        self.labels = labels
        self._values: dict[Labels, float] = dict.fromkeys(starts if labels else ((),), 0)

    def count(self, *labels: str, by: float = 1) -> None:
        """Count one more, or as many as are given."""
        values = self._values
        if labels not in values and len(values) >= MOST_SERIES:
            labels = _other(labels)
        values[labels] = values.get(labels, 0) + by

    def values(self) -> Mapping[Labels, float]:
        """Return the counts, by labels."""
        return self._values


class Moment:
    """When something was last.

    Args:
        name: As Prometheus shows its age.
        about: What it is, in a sentence.
        labels: What it is told apart by.
    """

    def __init__(self, name: str, about: str, *labels: str) -> None:
        self.name = name
        self.about = about
        self.labels = labels
        self._values: dict[Labels, float] = {}

    def mark(self, at: float, *labels: str) -> None:
        """Note that it was then."""
        values = self._values
        if labels not in values and len(values) >= MOST_SERIES:
            labels = _other(labels)
        values[labels] = at

    def ages(self, now: float) -> Mapping[Labels, float]:
        """Return how many seconds ago it was, by labels; nothing of what never was."""
        return {labels: max(0.0, now - at) for labels, at in self._values.items()}


class Histogram:
    """How long something took.

    Args:
        name: As Prometheus shows it.
        about: What it is, in a sentence.
        labels: What it is told apart by.
        buckets: The upper bounds, in seconds, each larger than the one before.
    """

    def __init__(self, name: str, about: str, *labels: str, buckets: tuple[float, ...]) -> None:
        self.name = name
        self.about = about
        self.labels = labels
        self.buckets = buckets
        self.limits = (*map(str, buckets), "+Inf")
        """The same bounds as they are shown, with the one of all that takes longer."""
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, seconds: float, *labels: str) -> None:
        """Note that it took so long."""
        counts = self._counts.get(labels)
        if counts is None:
            labels = _other(labels) if len(self._counts) >= MOST_SERIES else labels
            counts = self._counts.setdefault(labels, [0] * (len(self.buckets) + 1))
        counts[bisect_left(self.buckets, seconds)] += 1
        self._sums[labels] = self._sums.get(labels, 0.0) + seconds

    def values(self) -> Iterator[tuple[Labels, list[int], float]]:
        """Yield labels, how many fell into each bucket (the last: took longer than all), and the sum."""
        for labels, counts in self._counts.items():
            yield labels, counts, self._sums[labels]


Figure: TypeAlias = Counter | Moment | Histogram


class Figures:
    """The figures of one bot. ``path`` is ``chat`` for messages and lines, ``room`` for the room's socket."""

    def __init__(self) -> None:
        self.accepted = Counter(
            "hangbot_accepted_total", "Messages accepted into the outbox by this process.", starts=((),)
        )
        self.attempts = Counter(
            "hangbot_attempts_total",
            "Attempts to send a message (chat) or a room action (room).",
            "path",
            starts=(("chat",), ("room",)),
        )
        self.settled = Counter(
            "hangbot_settled_total",
            "Messages and room actions that ended, by tier: 1, 2, 3, uncertain, expired.",
            "path",
            "tier",
            starts=(
                *(("chat", tier) for tier in ("1", "2", "3", "uncertain", "expired")),
                *(("room", tier) for tier in ("1", "2", "3", "uncertain")),
            ),
        )
        self.retries = Counter(
            "hangbot_retries_total", "Pauses before another try, by the error before.", "path", "reason"
        )
        self.ack_seconds = Histogram(
            "hangbot_ack_seconds",
            "From an attempt to its acknowledgement.",
            "path",
            buckets=ACK_BUCKETS,
        )
        self.held = Counter(
            "hangbot_held_total",
            "Sends that the bot held up itself: by its rate, its retry budget, its slots, an outage.",
            "reason",
            starts=(("rate",), ("retry budget",), ("slots",), ("service down",)),
        )
        self.held_seconds = Counter(
            "hangbot_held_seconds_total",
            "For how long it held them up.",
            "reason",
            starts=(("rate",), ("retry budget",), ("slots",), ("service down",)),
        )
        self.reconnects = Counter(
            "hangbot_reconnects_total",
            "Connections that ended and are opened again, by how they ended.",
            "path",
            "reason",
            starts=(("room", "lost"), ("room", "silent"), ("chat", "lost"), ("chat", "silent")),
        )
        self.resyncs = Counter(
            "hangbot_resyncs_total",
            "States of the room that were lost and fetched again, by what they were lost to.",
            "reason",
            starts=(("patch",), ("forgotten",), ("song",)),
        )
        self.patches = Counter("hangbot_patches_total", "Patches applied to the state of the room.")
        self.heartbeat = Moment(
            "hangbot_heartbeat_age_seconds",
            "Seconds since the room's last heartbeat or connection.",
        )
        self.last_event = Moment(
            "hangbot_last_event_age_seconds", "Seconds since anything was heard that somebody did.", "path"
        )
        self.handler_seconds = Histogram(
            "hangbot_handler_seconds", "How long the app's handlers took.", buckets=HANDLER_BUCKETS
        )
        self.handler_failures = Counter(
            "hangbot_handler_failures_total",
            "Calls of the app's handlers that failed.",
            "reason",
            starts=(("raised",), ("timed out",), ("abandoned",)),
        )
        self.events_dropped = Counter(
            "hangbot_events_dropped_total", "Events of the room that the app was too slow for."
        )

    @property
    def all(self) -> tuple[Figure, ...]:
        """Every figure, in the order in which they are shown; the same in each `Figures`."""
        return tuple(vars(self).values())


def _other(labels: Labels) -> Labels:
    return ("other",) * len(labels)
