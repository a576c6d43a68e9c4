"""What was seen of a bot in one scenario: frozen values, and plain questions to them; pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Evidence", "Line", "Mark", "Probe", "Run", "text_of"]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """A message that the chat has stored.

    Attributes:
        id: Its number; later ones are greater.
        sender: Uid of who wrote it.
        to: Room or user that it went to.
        text: What it says.
    """

    id: int
    sender: str
    to: str
    text: str


@dataclass(frozen=True, slots=True)
class Probe:
    """A line to which the bot owes one answer.

    Attributes:
        id: Number of the message.
        at_ms: When it was said.
    """

    id: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that the scenario did.

    Attributes:
        n: Number of the journal's last row before it.
        at_ms: When.
        what: In words.
    """

    n: int
    at_ms: int
    what: str


@dataclass(frozen=True, slots=True)
class Run:
    """One life of the bot's process.

    Attributes:
        began_ms: When it was started.
        code: Its exit code; ``None`` where the scenario had to kill it, or it ran to the end.
        lines: What it printed, masked.
        leaks: Masked lines that held a secret.
    """

    began_ms: int
    code: int | None
    lines: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a judge looks at.

    Attributes:
        uid: The bot.
        rows: The journal, masked, in order.
        lines: What the chat holds, in order.
        questions: What the bot was asked since it was ready.
        answers: Its answers since then.
        marks: What the scenario did.
        runs: The lives of its process.
        never: Texts that the bot must never write.
        truncated: Whether the journal dropped its oldest rows.
        ended_ms: When the scenario was over.
    """

    uid: str
    rows: tuple[Row, ...] = ()
    lines: tuple[Line, ...] = ()
    questions: tuple[Probe, ...] = ()
    answers: tuple[Line, ...] = ()
    marks: tuple[Mark, ...] = ()
    runs: tuple[Run, ...] = ()
    never: tuple[str, ...] = ()
    truncated: bool = False
    ended_ms: int = 0

    def own_lines(self) -> list[Line]:
        """Return what the bot wrote."""
        return [line for line in self.lines if line.sender == self.uid]

    def at(self, n: int) -> int:
        """Return when the journal had its row of that number, or the last one before."""
        return max((row["t_ms"] for row in self.rows if row["n"] <= n), default=0)

    def connects(self, since: int = 0) -> list[int]:
        """Return when it tried to open the room socket, in milliseconds, refused ones too."""
        return [row["t_ms"] for row in self.rows if row["n"] > since and _is_connect(row)]

    def connects_in_vain(self) -> list[int]:
        """Return when it tried to open the room socket and got none, in milliseconds."""
        times: list[int] = []
        tried: int | None = None
        for row in self.rows:
            opened = row["service"] == "room" and row["kind"] == "open" and row.get("uid") == self.uid
            if tried is not None and not opened and _is_connect(row):
                times.append(tried)
            if opened or _is_connect(row):
                tried = None if opened else row["t_ms"]
        return times if tried is None else [*times, tried]

    def requests(self, service: str, method: str = "", part: str = "", since: int = 0) -> list[Row]:
        """Return its requests to a service, as the journal has them."""
        return [
            row
            for row in self.rows
            if row["n"] > since
            and row["service"] == service
            and row["kind"] == "http"
            and row["dir"] == "in"
            and row.get("uid") in {self.uid, None}
            and (not method or row.get("method") == method)
            and part in str(row.get("path", ""))
        ]

    def actions(self, name: str = "", since: int = 0) -> list[Row]:
        """Return its room actions, or those of a name: each frame, with ``t_ms``, ``n`` and ``conn``."""
        found = []
        for row in self.rows:
            if row["n"] <= since or row["service"] != "room" or row["kind"] != "frame" or row["dir"] != "in":
                continue
            if row.get("uid") != self.uid or name not in str(row.get("frame")):
                continue
            frame = _read(row["frame"])
            if not isinstance(frame, dict) or frame.get("event") != "action":
                continue
            if not name or _params(frame).get("action") == name:
                found.append({**frame, "t_ms": row["t_ms"], "n": row["n"], "conn": row.get("conn")})
        return found

    def open_sockets(self) -> list[tuple[int, int]]:
        """Return how many room sockets of it were open, as pairs of time in ms and number, at each change."""
        now: set[Any] = set()
        story: list[tuple[int, int]] = []
        for row in self.rows:
            if row["service"] != "room" or row.get("uid") != self.uid or row["kind"] not in {"open", "close"}:
                continue
            if row["kind"] == "open":
                now.add(row.get("conn"))
            else:
                now.discard(row.get("conn"))
            story.append((row["t_ms"], len(now)))
        return story


def _is_connect(row: Row) -> bool:
    return (
        row["service"] == "room"
        and row["kind"] == "http"
        and row["dir"] == "in"
        and "token=" in str(row.get("path", ""))
    )


def _params(frame: Mapping[str, Any]) -> Mapping[str, Any]:
    params = frame.get("params")
    return params if isinstance(params, dict) else {}


def _read(text: object) -> object:
    try:
        return json.loads(str(text))
    except ValueError:
        return None


def text_of(row: Mapping[str, Any]) -> str:
    """Return what a stored message says, wherever its sender put the text; empty where it says nothing.

    One that is only a picture says its address.
    """
    data = row.get("data")
    if not isinstance(data, dict):
        return ""
    custom, metadata = data.get("customData"), data.get("metadata")
    line = metadata.get("chatMessage") if isinstance(metadata, dict) else None
    parts = [part for part in (custom, line) if isinstance(part, dict)]
    pictures = [part["imageUrls"] for part in parts if isinstance(part.get("imageUrls"), list)]
    places = (
        data.get("text"),
        *(part.get("message") for part in parts),
        *chain.from_iterable(pictures),
        data.get("url"),
    )
    return next((text for text in places if isinstance(text, str) and text), "")
