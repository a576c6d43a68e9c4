"""What a real-time connection may do: which tokens open it, and which frames mean something.

PURE.
"""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from hangbot.sandbox.chat.dialects import Dialect
from hangbot.sandbox.chat.receipts import mark_conversation
from hangbot.sandbox.chat.rows import Json, Push, ReceiverType, Row, user_entity
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.socket_token import SocketTokens
from hangbot.sandbox.chat.world import ChatWorld
from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.people import People

__all__ = ["SocketRules", "may_open_socket"]

_TOKEN_PLACES: Final = ("auth", "authToken")


def may_open_socket(origin: str | None, allowed: Iterable[str] | None) -> bool:
    """Return whether a page from `origin` may open a socket; without the header any client may (measured).

    Args:
        origin: The header `Origin`.
        allowed: Hosts that may, and all below them; None: any.
    """
    if allowed is None or origin is None or origin == "null":
        return True
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:
        return False
    return any(host == name or host.endswith(f".{name}") for name in allowed)


class SocketRules:
    """Which user opens a socket, and what the frames of that user do.

    Args:
        people: The users behind auth tokens.
        tokens: Reads the token that `/me` handed out.
        dialect: How the server speaks.
        clock: Tokens expire on it.
        world: Where receipts and memberships are.
    """

    def __init__(
        self,
        people: People,
        tokens: SocketTokens,
        dialect: Dialect,
        clock: SandboxClock,
        world: ChatWorld,
    ) -> None:
        self._people = people
        self._tokens = tokens
        self._dialect = dialect
        self._clock = clock
        self._world = world

    def token_of(self, frame: Mapping[str, Json]) -> object:
        """Take the token of an auth frame: from `body`, and (measured on OpenChat) from beside it."""
        body = frame.get("body")
        inside = [body[name] for name in _TOKEN_PLACES if name in body] if isinstance(body, dict) else []
        beside = [frame["auth"]] if "auth" in frame and self._dialect.name == "openchat" else []
        return next(iter((*inside, *beside)), None)

    def user(self, auth: object) -> str | None:
        """Return the user behind `auth`: the JWT of `/me`, or (OpenChat) the auth token itself."""
        known = self._tokens.read(auth, self._clock.now_s())
        if known is None:
            person = self._people.by_chat_token(auth) if self._dialect.socket_takes_auth_token else None
            return person.uid if person is not None else None
        uid, digest = known
        person = self._people.find(uid)
        if not self._dialect.jwt_dies_with_token or person is None:
            return uid
        live = self._people.by_chat_token(person.chat_token) is not None
        return uid if live and self._tokens.digest(person.chat_token) == digest else None

    def frame(self, uid: str, frame: Mapping[str, Json]) -> Iterable[Push]:
        """Read a frame: receipts are passed on, typing where the dialect does, all else is ignored."""
        body = frame.get("body")
        if not isinstance(body, dict):
            return ()
        if frame.get("type") == "receipts":
            return self._receipt(uid, frame, body)
        if isinstance(frame.get("type"), str) and frame["type"] in self._dialect.passes_on:
            return self._passed_on(uid, frame, body)
        return ()

    def _receipt(self, uid: str, frame: Mapping[str, Json], body: Row) -> Iterable[Push]:
        """Mark as by REST; measured: without an action it is `read`, and wrong marks are dropped."""
        action, receiver = body.get("action", "read"), frame.get("receiver")
        kind: ReceiverType = "group" if frame.get("receiverType") == "group" else "user"
        if action not in ("read", "delivered") or not isinstance(receiver, str):
            return ()
        try:
            return mark_conversation(self._world, uid, (kind, receiver), body.get("messageId"), action)[1]
        except ChatRefusal:
            return ()

    def _passed_on(self, uid: str, frame: Mapping[str, Json], body: Row) -> Iterable[Push]:
        receiver, kind = str(frame.get("receiver")), frame.get("receiverType")
        if kind == "group":
            group = self._world.groups.get(receiver)
            recipients = tuple(group.members) if group is not None and uid in group.members else ()
        else:
            recipients = (receiver,)
        device = str(frame.get("deviceId", ""))
        return (Push(recipients, str(frame["type"]), uid, receiver, str(kind), body, device),)

    def presence(self, uid: str, recipients: tuple[str, ...], *, online: bool) -> Iterable[Push]:
        """Say that a user came or went."""
        body = {
            "action": "online" if online else "offline",
            "user": user_entity(self._world.ensure_user(uid)),
            "timestamp": self._world.now,
        }
        return (Push(recipients, "presence", uid, "", "user", body),)
