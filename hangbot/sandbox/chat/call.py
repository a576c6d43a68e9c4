"""A REST call of the chat, what is answered, and where faults hit.

PURE.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from hangbot.sandbox.chat.rows import Json, Push
from hangbot.sandbox.chat.rules import ChatRefusal

__all__ = ["Answer", "Call", "data_answer", "fault_point", "split_path", "tidy_path"]

VERSIONS: Final = ("v3", "v3.0")


@dataclass(slots=True)
class Call:
    """One request, read from the wire."""

    method: str
    path: str
    """As it was sent, without the query."""
    segments: tuple[str, ...]
    """Of the path below the version, decoded; empty for a path without a version."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names are case-insensitive."""
    body: Json = field(default_factory=dict)
    unreadable: str | None = None
    """Why the body could not be read: the reason of a refusal."""

    def fields(self) -> dict[str, Json]:
        """Return the body's object; a body that is none counts as empty.

        Raises:
            ChatRefusal: The body cannot be read.
        """
        if self.unreadable is not None:
            raise ChatRefusal(self.unreadable)
        return self.body if isinstance(self.body, dict) else {}


@dataclass(slots=True)
class Answer:
    """What goes back: a status, a JSON body (None: empty), and frames for sockets."""

    status: int
    body: Json = None
    pushes: list[Push] = field(default_factory=list)
    delay_s: float = 0.0
    """How long the server takes over it."""
    unknown_route: bool = False
    uid: str | None = None


def data_answer(
    uid: str | None, data: Json, pushes: Iterable[Push] = (), *, status: int = 200, **beside: Json
) -> Answer:
    """Return the usual answer to `uid`: `data`, what stands beside it, and what is pushed."""
    return Answer(status, {"data": data, **beside}, list(pushes), uid=uid)


def tidy_path(path: str) -> str:
    """Write a path as it is compared: doubled slashes count once, those at the end not at all (measured)."""
    return "/" + "/".join(part for part in path.split("/") if part)


def split_path(path: str) -> tuple[str, ...]:
    """Split a path below `/v3`, `/v3.0` or (measured) without a version; doubled slashes count as one."""
    parts = [part for part in path.split("/") if part]
    below = parts[1:] if parts and parts[0] in VERSIONS else parts
    return tuple(unquote(part, errors="replace") for part in below)


def fault_point(method: str, segments: tuple[str, ...]) -> str:
    """Name the point at which a fault hits this call."""
    match (method, *segments):
        case ("POST", "messages") | ("POST", "messages", _, "thread"):
            return "chat.send"
        case ("GET", "user", "messages", _):
            return "chat.lookup"
        case ("GET", "groups" | "users", _, "messages") | ("GET", "messages"):
            return "chat.history"
        case (_, "me"):
            return "chat.me"
        case ("POST", "groups", _, "members"):
            return "chat.join"
        case ("GET", "groups", _):
            return "chat.group"
        case _:
            return "chat.other"
