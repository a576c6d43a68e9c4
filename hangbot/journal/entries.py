"""What a journal keeps: entries, and how things stood before them."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

__all__ = ["FIELDS", "Checkpoint", "Entry", "Excerpt", "Packed", "Snapshot", "Value"]

Value = str | bytes | float | int | bool | None | Mapping[str, Any]


Entry: TypeAlias = tuple[float, str, tuple[Any, ...]]
"""One thing that happened: when (monotonic seconds), its kind, and its values in the order of `FIELDS`."""

Packed: TypeAlias = bytes | list[Entry]
"""Some entries, in order: see `hangbot.journal.packing`."""


class Snapshot(NamedTuple):
    """How things stand.

    Attributes:
        room: The state of the room, as the service would send it; ``None`` outside of it.
        heard: The newest line that was heard of each conversation, by its key.
        app: Whether the bot has an author's app.
    """

    room: Mapping[str, Any] | None
    heard: Mapping[str, int]
    app: bool = False


class Checkpoint(NamedTuple):
    """How things stood before a segment.

    Attributes:
        at: Monotonic seconds.
        open: The services of the connections that were open, by their number.
        heard: As in `Snapshot`.
        room: The room's state, marshalled and compressed, or ``None``.
        app: As in `Snapshot`.
    """

    at: float
    open: Mapping[int, str]
    heard: Mapping[str, int]
    room: bytes | None
    app: bool = False


class Excerpt(NamedTuple):
    """What a journal kept at one moment.

    Attributes:
        checkpoint: How things stood before the first entry; ``None``: nothing is kept.
        kept: The entries, in order.
        answers: Of before: the last answers to the questions of a start, each behind its request, and the
            messages that had not ended.
        until: When it was read.
        lost: How many entries of before are no longer kept.
    """

    checkpoint: Checkpoint | None
    kept: list[Packed]
    answers: list[Entry]
    until: float
    lost: int


FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "began": (),
    "resumed": ("handled", "base"),
    "request": ("n", "service", "method", "target", "body"),
    "answer": ("n", "status", "headers", "body"),
    "failed": ("n", "how"),
    "open": ("conn", "service"),
    "opened": ("conn",),
    "refused": ("conn", "status", "headers", "body"),
    "unopened": ("conn", "how", "errno"),
    "in": ("conn", "frame"),
    "out": ("conn", "frame"),
    "ping": ("conn", "ping"),
    "pong": ("conn", "ping"),
    "closed": ("conn", "theirs", "code", "reason"),
    "said": ("id", "to", "direct", "text", "refused"),
    "answering": ("id", "message", "app"),
    "acted": ("action", "params"),
    "app": ("what", "outcome"),
    "operator": ("change", "id"),
    "step": ("id", "step", "attempt", "detail", "state", "tier"),
    "health": ("part", "red", "sentence"),
    "chance": ("whose", "number"),
    "drawn": ("whose", "bits", "hex"),
    "stopping": (),
    "ended": ("how",),
}
"""The values of each kind of entry, by name."""
