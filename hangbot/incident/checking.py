"""Whether the rows of a journal have the shape that `hangbot.journal.rows` gives them. PURE."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

__all__ = ["check_rows"]

_LONGEST: Final = 7200.0
"""Seconds that a recording may last; a journal keeps ten minutes, and what a quiet bot adds to that."""
_LATEST: Final = 1e8
"""Seconds between a row and the beginning: of before, a bot may have run for years."""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_time(value: object) -> bool:
    return _is_number(value) and abs(value) <= _LATEST  # type: ignore[arg-type]  # a number, as was just seen


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_switch(value: object) -> bool:
    return isinstance(value, bool)


def _is_status(value: object) -> bool:
    return _is_whole(value) and 100 <= value <= 599  # type: ignore[operator]  # noqa: PLR2004  HTTP; a number


def _is_headers(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


def _is_hex(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 64 and not set(value) - set("0123456789abcdef")  # noqa: PLR2004  of 256 bits


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_handled(value: object) -> bool:
    """Return whether it is the ids of each conversation: up to which all is handled, and which others are."""
    return isinstance(value, dict) and all(
        isinstance(ids, list) and ids and all(map(_is_whole, ids)) for ids in value.values()
    )


def _may_be(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or check(value)


_NEEDED: Final[Mapping[str, Mapping[str, Callable[[object], bool]]]] = {
    "began": {},
    "resumed": {"handled": _is_handled, "base": _is_whole},
    "request": {"n": _is_whole, "service": _is_text, "method": _is_text, "target": _is_text},
    "answer": {"n": _is_whole, "status": _is_status, "headers": _is_headers},
    "failed": {"n": _is_whole, "how": _is_text},
    "open": {"conn": _is_whole, "service": lambda value: value in ("room", "chat")},
    "opened": {"conn": _is_whole},
    "refused": {"conn": _is_whole, "status": _is_status, "headers": _is_headers},
    "unopened": {"conn": _is_whole, "how": _is_text, "errno": _may_be(_is_whole)},
    "in": {"conn": _is_whole},
    "out": {"conn": _is_whole},
    "ping": {"conn": _is_whole, "ping": _is_whole},
    "pong": {"conn": _is_whole, "ping": _is_whole},
    "closed": {"conn": _is_whole, "theirs": _is_switch, "code": _may_be(_is_whole), "reason": _is_text},
    "said": {"id": _is_text, "to": _is_text, "direct": _is_switch, "text": _is_text, "refused": _is_text},
    "answering": {"id": _is_text, "message": _is_whole, "app": _is_text},
    "acted": {"action": _is_text, "params": _is_object},
    "app": {"what": _is_text, "outcome": _is_text},
    "operator": {"change": lambda value: value in ("retry", "drop"), "id": _is_text},
    "step": {"id": _is_text, "step": _is_text, "attempt": _is_whole},
    "health": {"part": _is_text, "red": _is_switch, "sentence": _is_text},
    "chance": {"whose": _is_text, "number": _is_number},
    "drawn": {"whose": _is_text, "bits": _is_whole, "hex": _is_hex},
    "stopping": {},
    "ended": {"how": _is_text},
}
"""What each kind of row needs besides its time."""
_FIRST: Final[Mapping[str, Callable[[object], bool]]] = {
    "seconds": lambda value: _is_time(value) and 0 <= value <= _LONGEST,  # type: ignore[operator]  # a number
    "began": lambda value: _is_number(value) and abs(value) < 1e11,  # type: ignore[arg-type]  # noqa: PLR2004  a date
    "lost": _is_whole,
    "app": _is_switch,
    "room": _may_be(_is_object),
    "heard": lambda value: isinstance(value, dict) and all(map(_is_whole, value.values())),
}


def check_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what is no journal.

    Raises:
        ValueError: A row is none; the message says which and why.
    """
    for number, row in enumerate(rows):
        needed = (
            _FIRST
            if number == 0
            else {"t": _is_time} | dict(_NEEDED.get(_kind(row), {"kind": lambda _: False}))
        )
        for name, is_well in needed.items():
            if name not in row or not is_well(row[name]):
                raise ValueError(f"row {number + 1} has no {name} that it can have")
        if not _is_text(row.get("text", "")):
            raise ValueError(f"row {number + 1} has a text that is none")


def _kind(row: Mapping[str, Any]) -> str:
    kind = row.get("kind")
    return kind if isinstance(kind, str) else ""
