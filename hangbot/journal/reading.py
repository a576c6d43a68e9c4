"""A journal as rows for JSON, without secrets."""

import json
from collections.abc import Iterator
from typing import Any, Final

from hangbot.journal.entries import FIELDS, Checkpoint, Excerpt
from hangbot.journal.packing import unpack, unpack_room
from hangbot.redact import Redactor

__all__ = ["SCHEMA", "rows"]

SCHEMA: Final = 1
"""Of the rows of `rows`."""


def rows(excerpt: Excerpt, redactor: Redactor, *, wall: float = 0.0) -> Iterator[dict[str, Any]]:
    """Yield an excerpt as rows for JSON, with every secret masked; their times count from the checkpoint.

    The first row is ``{"kind": "kept", "schema", "lost", "start", "seconds", "began", "open", "heard", "app",
    "room"}``: ``start`` is the checkpoint's monotonic time, ``began`` its time since the epoch.

    Args:
        excerpt: What is to be shown.
        redactor: Masks secrets.
        wall: The time since the epoch at which it was read.
    """
    start = excerpt.checkpoint.at if excerpt.checkpoint else excerpt.until
    checkpoint = excerpt.checkpoint or Checkpoint(start, {}, {}, None)
    yield {
        "kind": "kept",
        "schema": SCHEMA,
        "lost": excerpt.lost,
        "start": start,
        "seconds": round(excerpt.until - start, 6),
        "began": round(wall - (excerpt.until - start), 3),
        "open": sorted(checkpoint.open.values()),
        "heard": dict(checkpoint.heard),
        "app": checkpoint.app,
        "room": redactor.value(unpack_room(checkpoint.room)),
    }
    for before, entries in ((True, excerpt.answers), (False, unpack(excerpt.kept))):
        for at, kind, values in entries:
            row: dict[str, Any] = {"t": round(at - start, 6), "kind": kind}
            if before:
                row["before"] = True
            for name, value in zip(FIELDS[kind], values, strict=True):
                row |= _shown(name, value, redactor)
            yield row


def _shown(name: str, value: Any, redactor: Redactor) -> dict[str, Any]:  # noqa: ANN401  any value of an entry
    if name in {"frame", "body"}:
        return _content(value, redactor)
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if name == "headers":
        value = dict(value)
    return {name: redactor.value(value)}


def _content(value: str | bytes | None, redactor: Redactor) -> dict[str, Any]:
    """Return a frame or a body: ``json`` where it is that, else ``text``."""
    if not value:
        return {}
    try:
        return {"json": redactor.value(json.loads(value))}
    except (ValueError, RecursionError):
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        return {"text": redactor.text(text)}
