"""A recorded room session: what a client and the room socket said to each other, a JSON object a line.

The first line says what was recorded: ``{"recorded": "…", "format": 1}``. Then a line an event:
``{"t_ms", "conn", "from": "client"|"server"}`` with one of ``"frame"`` (the text as it was on the
wire), ``"open"`` (the user's uid, or null) or ``"close"`` (the code; null for none, 1006 for a
connection that was cut). ``t_ms`` and ``conn`` may be missing: 0 and 1.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

from hangbot import read_claims
from hangbot.given_file import read_given

if TYPE_CHECKING:
    from pathlib import Path

    from hangbot.redact import Redactor

__all__ = ["FORMAT", "Event", "Session", "UnreadableSession", "read_session", "uid_of", "without_secrets"]

FORMAT: Final = 1
_LARGEST: Final = 256 * 2**20
"""Bytes of a record: days of a busy room."""
_KINDS: Final = ("frame", "open", "close")
_PERSONAL: Final = frozenset(
    [
        *("firstName", "lastName", "pronoun", "zodiac", "priceForGig"),
        *("discord", "discordNickname", "facebook", "instagram", "twitter", "snapchat", "tiktok"),
        *("coverPicture", "posterFile"),
    ]
)
"""Of profiles and room settings: personal data, and pictures of a hundred kilobytes; no bot needs them."""


class UnreadableSession(ValueError):
    """A file is no recorded session; the message says which line and why."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened on a recorded connection.

    Attributes:
        sender: ``client`` or ``server``.
        kind: ``frame``, ``open`` or ``close``.
        text: The frame as it was on the wire, or the uid of who opened the connection; may be empty.
        code: The close code; ``None`` for a close without one, 1006 for a connection that was cut.
        conn: Number of the connection, from 1.
        t_ms: Milliseconds since the recording began.
    """

    sender: Literal["client", "server"]
    kind: Literal["frame", "open", "close"]
    text: str = ""
    code: int | None = None
    conn: int = 1
    t_ms: int = 0

    def as_row(self) -> dict[str, Any]:
        """Return it as a line of the file."""
        value = {"frame": self.text, "open": self.text or None, "close": self.code}[self.kind]
        return {"t_ms": self.t_ms, "conn": self.conn, "from": self.sender, self.kind: value}


@dataclass(frozen=True, slots=True)
class Session:
    """A recording: what it says it is, and the events of each connection in order."""

    recorded: str
    connections: tuple[tuple[Event, ...], ...]


def read_session(path: Path) -> Session:
    """Read a recorded session.

    Raises:
        UnreadableSession: The file is not there, or is no recorded session.
    """
    try:
        lines = read_given(path, most=_LARGEST).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise UnreadableSession(f"{path} cannot be read: {getattr(exc, 'strerror', None) or exc}") from None
    rows = [(number, _row(path, number, line)) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows or "recorded" not in rows[0][1]:
        raise UnreadableSession(f'{path} is no recorded session: its first line has no "recorded"')
    head = rows[0][1]
    if head.get("format", FORMAT) != FORMAT:
        raise UnreadableSession(f"{path} has format {head['format']}; this version reads format {FORMAT}")
    connections: dict[int, list[Event]] = {}
    for number, row in rows[1:]:
        event = _event(path, number, row)
        connections.setdefault(event.conn, []).append(event)
    if not connections:
        raise UnreadableSession(f"{path} holds no frames")
    return Session(str(head["recorded"]), tuple(tuple(connections[conn]) for conn in sorted(connections)))


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        raise UnreadableSession(f"{path}, line {number}: no JSON") from None
    if not isinstance(row, dict):
        raise UnreadableSession(f"{path}, line {number}: no JSON object")
    return row


def _event(path: Path, number: int, row: dict[str, Any]) -> Event:
    kinds = [kind for kind in _KINDS if kind in row]
    if len(kinds) != 1 or row.get("from") not in {"client", "server"}:
        raise UnreadableSession(
            f'{path}, line {number}: needs "from": "client" or "server", and one of {", ".join(_KINDS)}'
        )
    kind, value = kinds[0], row[kinds[0]]
    conn, t_ms = row.get("conn", 1), row.get("t_ms", 0)
    wanted = {"frame": (str,), "open": (str, type(None)), "close": (int, type(None))}[kind]
    if not isinstance(value, wanted) or type(conn) is not int or not isinstance(t_ms, int | float):
        raise UnreadableSession(f'{path}, line {number}: "{kind}", "conn" or "t_ms" is of the wrong kind')
    return Event(
        row["from"],
        kind,
        text=value if isinstance(value, str) else "",
        code=value if isinstance(value, int) else None,
        conn=conn,
        t_ms=int(t_ms),
    )


def without_secrets(frame: str, redactor: Redactor) -> str:
    """Return a frame without tokens, and without what profiles say of people beyond name and avatar.

    A frame that holds neither comes back as it is, to the letter.
    """
    try:
        value = json.loads(frame)
    except (ValueError, RecursionError):
        return redactor.text(frame)
    masked = redactor.value(_impersonal(value))
    return frame if masked == value else json.dumps(masked, ensure_ascii=False, separators=(",", ":"))


def _impersonal(value: Any) -> Any:  # noqa: ANN401  any JSON value
    if isinstance(value, list):
        return [_impersonal(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {name: None if name in _PERSONAL else _impersonal(item) for name, item in value.items()}
    if str(value.get("path", "")).rpartition("/")[2] in _PERSONAL and "value" in value:  # a change of one
        plain["value"] = None
    return plain


def uid_of(path: str) -> str:
    """Return the uid that the token in a connection's address names, or nothing."""
    claims = read_claims(parse_qs(urlsplit(path).query).get("token", [""])[-1])
    return (claims.uid if claims else None) or ""
