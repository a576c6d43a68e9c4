"""A REST call of the chat, what is answered, and where faults hit.

PURE.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import unquote

from hangbot.sandbox.chat.rows import Json, Push

__all__ = ["Answer", "Call", "Directory", "Someone", "fault_point", "split_path", "tidy_path"]

VERSIONS: Final = ("v3", "v3.0")


class Someone(Protocol):
    """A user whom the sandbox knows."""

    @property
    def uid(self) -> str:
        """His uid."""

    @property
    def nickname(self) -> str:
        """What others see."""

    @property
    def chat_token(self) -> str:
        """His auth token."""


class Directory(Protocol):
    """Who is behind a token or a uid."""

    def by_chat_token(self, token: object) -> Someone | None:
        """Give the user whose live chat token this is."""

    def find(self, uid: object) -> Someone | None:
        """Give the user with that uid."""

    def add(self, nickname: str, *, uid: str) -> Someone:
        """Make a user."""

    def __iter__(self) -> Iterator[Someone]:
        """Everybody."""

    def revoke(self, token: str) -> None:
        """Make a token worthless."""


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


def tidy_path(path: str) -> str:
    """Write a path as it counts: of doubled slashes one, of those at the end none (measured)."""
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
