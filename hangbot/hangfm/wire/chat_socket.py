"""The chat's real-time connection: what a client writes there, and what it gets. PURE.

The envelope, the auth frame, the ping and its answer were captured from the unmodified JavaScript SDK
4.2.0; what the frames of a server look like was measured on a build of OpenChat. Anyone may change
either: a frame that is not understood is a value like any other, and stops nothing.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from hangbot.bot.events import ChatMessage
from hangbot.bot.ports import Unreadable
from hangbot.hangfm.wire.chat import read_message
from hangbot.text import one_line, text_or_none

__all__ = [
    "KNOWN",
    "PING",
    "AuthAccepted",
    "AuthRefused",
    "ChatFrame",
    "OtherFrame",
    "Pong",
    "decode",
    "encode_auth",
    "has_own_host",
    "own_host",
    "socket_url",
]

PING: Final = '{"action":"ping","ack":"true"}'
"""What a client sends every 15 s (captured)."""

KNOWN: Final = frozenset(
    {
        "interaction_completed",
        "on_moderation_status_changed",
        "presence",
        "reaction",
        "receipts",
        "transient_message",
        "typing_indicator",
    }
)
"""Kinds of frames that bring no message: the captured SDK reads them, a bot need not."""

_ACCEPTED: Final = "200"
_SHOWN: Final = 40
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_HIGHEST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class AuthAccepted:
    """The connection is the user's: rows come from here on."""


@dataclass(frozen=True, slots=True)
class AuthRefused:
    """The token was refused; ``code`` is the server's own (``ERR_NO_AUTH`` on OpenChat)."""

    code: str


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ping."""


@dataclass(frozen=True, slots=True)
class OtherFrame:
    """A frame that brings no message: a receipt, a reaction, who types, a kind that is not known yet."""

    kind: str


ChatFrame = AuthAccepted | AuthRefused | Pong | ChatMessage | Unreadable | OtherFrame


def encode_auth(*, app_id: str | None, device: str, uid: str, token: str) -> str:
    """Write the frame that says whose the connection is; it is a secret.

    Args:
        app_id: The app's id; OpenChat does not look at it.
        device: The client's id, the header ``resource`` of its requests.
        uid: The bot's uid.
        token: The JWT of ``/me``; OpenChat takes the chat token, too.
    """
    return json.dumps(
        {
            "appId": app_id or "",
            "deviceId": device,
            "type": "auth",
            "sender": uid,
            "body": {"auth": token, "deviceId": device, "params": {"deviceId": device}},
        }
    )


def decode(frame: str | bytes) -> ChatFrame:
    """Read a frame, whatever it holds.

    The id of a row may be a number or its digits, the sender a uid or an object; a row that is none is
    `Unreadable`, any other frame that is not understood an `OtherFrame`.
    """
    try:
        data = json.loads(frame)
    except (ValueError, RecursionError):
        return OtherFrame("no JSON")
    if not isinstance(data, dict):
        return OtherFrame(f"a {type(data).__name__}")
    body, kind = data.get("body"), data.get("type")
    if data.get("action") == "pong" or kind == "pong":
        return Pong()
    if kind == "auth":
        return _auth(body)
    if kind == "message":
        return _message(data, body)
    return OtherFrame(one_line(kind, _SHOWN) if isinstance(kind, str) else "no type")


def _auth(body: object) -> AuthAccepted | AuthRefused:
    """Read the answer to the auth frame: its code is text, but a number that reads the same will do."""
    code = body.get("code") if isinstance(body, dict) else None
    if str(code) == _ACCEPTED:
        return AuthAccepted()
    return AuthRefused(one_line(code, _SHOWN) if isinstance(code, str) else "no code")


def _message(data: Mapping[str, Any], body: object) -> ChatMessage | Unreadable:
    """Read a message; of one whose row does not say which client wrote it, the envelope does."""
    if isinstance(body, dict) and "resource" not in body and isinstance(data.get("deviceId"), str):
        body = {**body, "resource": data["deviceId"]}
    try:
        message = read_message(body)
    except RecursionError:
        message = None
    if message is not None:
        return message
    if not isinstance(body, dict):
        return Unreadable("the chat's socket", f"it is no object, but {type(body).__name__}")
    return Unreadable("the chat's socket", f"its id is none: {one_line(repr(body.get('id')), _SHOWN)}")


def socket_url(base: str) -> str:
    """Return the websocket of a chat server: the root of its own address (measured on OpenChat)."""
    parts = urlsplit(base)
    scheme = "wss" if parts.scheme in {"https", "wss"} else "ws"
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/"


def has_own_host(base: str) -> bool:
    """Return whether a chat server's websocket is a host of its own: so it is on CometChat (captured)."""
    return (urlsplit(base).hostname or "").endswith(".cometchat.io")


def own_host(base: str, settings: Mapping[str, Any]) -> str | None:
    """Return the websocket of a CometChat server, which is a host of its own; ``None`` for any other server.

    Args:
        base: The address of the client API.
        settings: The server's settings: the names that the JavaScript SDK 4.2.0 reads (captured).
    """
    if not has_own_host(base):
        return None
    names = ("CHAT_HOST_OVERRIDE", "CHAT_HOST_APP_SPECIFIC", "CHAT_HOST")
    host = next(filter(None, map(text_or_none, map(settings.get, names))), "")
    if not _HOST.fullmatch(host):
        return None
    scheme = urlsplit(socket_url(base)).scheme
    port = str(settings.get("CHAT_WSS_PORT") or "")
    if _PORT.fullmatch(port) and int(port) <= _HIGHEST_PORT:
        return f"{scheme}://{host}:{port}/"
    return f"{scheme}://{host}/"
