"""What the journal shows of a request."""

import json
from typing import Any, Final

from hangbot.web.http import Request, Unserved

__all__ = ["note", "note_unserved", "read_json"]


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("no such number")
    return number


def _no_constant(_text: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Keep the first of several fields with one name (measured on OpenChat)."""
    made = dict(pairs)
    return made if len(made) == len(pairs) else dict(reversed(pairs))


read_json: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_finite, parse_constant=_no_constant
).decode
"""Read a JSON text; raises ``ValueError``, or ``RecursionError`` for one that is nested too deeply."""


def note(request: Request, value: object = None) -> dict[str, Any]:
    """Return a request's row for the journal (method, path and body as they came), and count it as noted.

    A body that is JSON, and is declared as such, is shown as its value, another text as that, other
    bytes by their number, and an empty body as ``None``.

    Args:
        request: The request.
        value: The value of a JSON body, if the caller has read it already.
    """
    request.noted = True
    row: dict[str, Any] = {"method": request.method, "path": request.target, "body": _shown(request, value)}
    if request.whole_target != request.target:
        row["target"] = request.whole_target
    if request.version != "1.1":
        row["http"] = request.version
    return row


def note_unserved(unserved: Unserved) -> dict[str, Any]:
    """Return the row of a request that no handler has noted."""
    if unserved.request is not None:
        row = note(unserved.request)
    else:
        line, whole, _ = unserved.raw.partition(b"\n")
        method, _, rest = line.decode("utf-8", "backslashreplace").strip().partition(" ")
        target = rest.rpartition(" ")[0] if whole and " " in rest else rest
        # Drop the query of a line that was cut: the rest of a token in it would not be recognised.
        path = target if whole else target.partition("?")[0]
        row = {"method": method, "path": path, "body": _text(unserved.raw.partition(b"\r\n\r\n")[2])}
    if unserved.problem:
        row["malformed"] = unserved.problem
    if unserved.status is None:
        row["gone"] = True
    return row


def _shown(request: Request, value: object) -> object:
    if request.too_large or request.body is None:
        return f"<{request.size} bytes>"
    is_json = bool(request.body) and "json" in request.headers.get("Content-Type", "").lower()
    if value is not None and is_json:
        return value
    text = _text(request.body)
    if text is None or not is_json:
        return text
    try:
        return read_json(text)
    except (ValueError, RecursionError):
        return text


def _text(raw: bytes) -> str | None:
    """Return bytes as text, or their number if they are none; ``None`` if there are no bytes."""
    try:
        return raw.decode() or None
    except UnicodeDecodeError:
        return f"<{len(raw)} bytes>"
