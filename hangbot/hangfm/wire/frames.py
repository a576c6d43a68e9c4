"""Frames of the room socket: ActionHero's JSON inside Primus. PURE.

Every frame is one JSON value in a text frame. A JSON *string* is Primus keeping the
connection alive (quotes on the wire: an unquoted pong is dropped without a word and the
connection dies); an object is ActionHero. Captured from ActionHero 29.3.5 with Primus 8.0.9.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

from hangbot.errors import UsageError, WireError
from hangbot.hangfm.wire.events import RoomMessage, read_message

__all__ = [
    "MAX_PENDING",
    "Event",
    "Ping",
    "Reply",
    "ServerClosing",
    "Unknown",
    "Welcome",
    "decode",
    "encode_action",
    "encode_pong",
    "socket_url",
]

MAX_PENDING: Final = 4
"""Actions to have in flight on one connection; the server refuses the sixth (captured)."""

_PING: Final = "primus::ping::"
_PONG: Final = "primus::pong::"
_CLOSE: Final = "primus::server::close"


@dataclass(frozen=True, slots=True)
class Welcome:
    """The first frame after the connect: from here on the server listens."""

    text: str


@dataclass(frozen=True, slots=True)
class Ping:
    """A heartbeat; ``number`` is the server's clock in milliseconds, to be sent back."""

    number: str


@dataclass(frozen=True, slots=True)
class ServerClosing:
    """The server is about to close on purpose (kick, reset, quit)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to an action; ``error`` is the server's own words where it refused."""

    message_id: object
    error: str | None
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A frame this codec does not know: logged and passed over, never fatal."""

    summary: str


Event = Welcome | Ping | ServerClosing | Reply | RoomMessage | Unknown


def decode(frame: str | bytes) -> Event:
    """Turn one frame into an event.

    Anything that is JSON becomes an event, `Unknown` at the least: new contexts, plain
    strings sent with ActionHero's ``say`` and missing fields must not stop a bot.

    Raises:
        WireError: The frame is not text, or not JSON.
    """
    if isinstance(frame, bytes):
        raise WireError(f"a binary frame of {len(frame)} bytes on the room socket, where text is spoken")
    try:
        data = json.loads(frame)
    except (ValueError, RecursionError):
        raise WireError(f"a frame of {len(frame)} characters on the room socket that is not JSON") from None
    match data:
        case str():
            return _control(data)
        case {"context": "response"}:
            return _reply(data)
        case {"context": "user", "message": {"name": str(name)} as message}:
            return read_message(name, message, data.get("room"))
        case {"welcome": welcome}:
            return Welcome(str(welcome))
        case {"context": str(context)}:
            return Unknown(f"context {context!r} with {sorted(map(str, data))}")
    return Unknown(f"a {type(data).__name__} without a context")


def _control(text: str) -> Event:
    if text.startswith(_PING):
        return Ping(text.removeprefix(_PING))
    if text == _CLOSE:
        return ServerClosing()
    return Unknown("a control string that Primus 8 does not send")


def _reply(data: dict[str, Any]) -> Reply:
    error = data.get("error")
    if error and not isinstance(error, str):
        error = json.dumps(error)  # ActionHero passes an error without a message through as it is
    fields = {key: value for key, value in data.items() if key not in {"context", "messageId", "error"}}
    return Reply(data.get("messageId"), error or None, fields)


def encode_action(name: str, params: Mapping[str, object], message_id: int) -> str:
    """Write an action; ASCII only, since both sides escape U+2028 and U+2029.

    Raises:
        UsageError: A parameter that JSON cannot hold: the server passes such a frame over without a word.
    """
    frame = {"event": "action", "params": {**params, "action": name}, "messageId": message_id}
    try:
        return json.dumps(frame, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as exc:
        raise UsageError(
            f"a parameter of {name} cannot be written as JSON ({exc}); nothing was sent",
            remedy="Give texts, numbers, lists, mappings, true, false or None.",
        ) from exc


def encode_pong(ping: Ping) -> str:
    """Answer a heartbeat: a JSON string, with its quotes."""
    return json.dumps(_PONG + ping.number)


def socket_url(base: str, token: str) -> str:
    """Build the address of the room socket.

    Of the base only scheme, host and port survive, as with ttfm-socket 1.0.0; the token
    travels in the query, so the result is a secret.
    """
    parts = urlsplit(base)
    scheme = "wss" if parts.scheme in {"https", "wss"} else "ws"
    return f"{scheme}://{parts.netloc}/primus?token={quote(token, safe='')}"
