"""A call to the gateway, what is answered, and how it is refused.

PURE. Refusals have the form that public bots show: `{statusCode, message, error}`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from hangbot.sandbox.chat.rows import Json, Row

__all__ = [
    "GatewayAnswer",
    "GatewayCall",
    "Problem",
    "failure",
    "gateway_point",
    "gateway_segments",
    "is_for_gateway",
    "no_route",
    "object_of",
    "roles_of",
    "text_field",
]

DIRECT: Final = ("rooms", "auth", "crate", "search", "song-data")
"""First words of paths that the direct hosts serve (`rooms.prod.tt.fm/rooms/…`)."""


@dataclass(slots=True)
class GatewayCall:
    """One request to the gateway."""

    method: str
    segments: tuple[str, ...]
    """Service first: `user-service`, `comet-chat`, `user-token`."""
    query: str = ""
    authorization: str = ""
    body: Json = None


@dataclass(slots=True)
class GatewayAnswer:
    """Status and JSON body."""

    status: int
    body: Json = None
    unknown_route: bool = False
    uid: str | None = None


class Problem(Exception):
    """A refusal: status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


_NAMES: Final = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}


def is_for_gateway(path: str) -> bool:
    """Return whether a path is the gateway's, where it shares a port with the chat."""
    first = path.partition("?")[0].lstrip("/").partition("/")[0]
    return unquote(first, errors="replace") in {"api", *DIRECT}


def gateway_segments(path: str, service: str | None = None) -> tuple[str, ...]:
    """Split a gateway path into service and the rest.

    `/api/<service>/…` is the gateway; `/rooms/…` and `/auth/…` are the direct hosts that
    older bots call, and each of those is one `service`.
    """
    parts = tuple(unquote(part, errors="replace") for part in path.split("/") if part)
    if parts[:1] == ("api",):
        return parts[1:]
    if service is None and parts:
        service = {"rooms": "room-service", "auth": "user-service"}.get(parts[0])
        if service is None and parts[0] in DIRECT:
            service = "playlist-service"
    return parts if service is None else (service, *parts)


def gateway_point(segments: tuple[str, ...]) -> str:
    """Name the point at which a fault hits."""
    return (
        "gateway.token" if segments[:3] == ("user-service", "comet-chat", "user-token") else "gateway.other"
    )


def roles_of(room: Mapping[str, Any], uid: str) -> list[str]:
    """Return the room roles of a user; `roomRoles` lists `{userUuid, role}` (seen in recorded rooms)."""
    roles = room.get("roomRoles", ())
    if isinstance(roles, Mapping):
        role = roles.get(uid)
        return [role] if isinstance(role, str) else list(role or ())
    return [str(row["role"]) for row in roles if row.get("userUuid") == uid]


def object_of(call: GatewayCall) -> dict[str, Json]:
    """Take the body as an object.

    Raises:
        Problem: It is none.
    """
    if not isinstance(call.body, dict):
        raise Problem(400, "Unexpected token in JSON")
    return call.body


def text_field(value: Json, name: str) -> str:
    """Take a field as a text that is not blank.

    Raises:
        Problem: It is none.
    """
    if not isinstance(value, str) or not value.strip():
        raise Problem(400, f"{name} must be a string")
    return value


def failure(status: int, message: str) -> GatewayAnswer:
    """Word a refusal."""
    body: Row = {"statusCode": status, "message": message}
    name = _NAMES.get(status)
    if name is not None:
        body["error"] = name
    return GatewayAnswer(status, body)


def no_route(call: GatewayCall) -> GatewayAnswer:
    """Say that no route matches."""
    answer = failure(404, f"Cannot {call.method} /{'/'.join(call.segments)}")
    answer.unknown_route = True
    return answer
