"""Who makes a REST call: the user behind its token, or the holder of the admin key.

PURE.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hangbot.sandbox.chat.call import Call
from hangbot.sandbox.chat.dialects import Dialect
from hangbot.sandbox.chat.rows import SYSTEM
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.socket_token import SocketTokens
from hangbot.sandbox.chat.values import text_of
from hangbot.sandbox.chat.world import ChatWorld
from hangbot.sandbox.people import People, Person

__all__ = ["Authenticator", "Caller"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, with which token and from which device."""

    uid: str
    token: str
    resource: str | None
    admin: bool = False


class Authenticator:
    """Finds the caller of a call, and refuses calls without what the dialect wants.

    Args:
        world: Where a caller becomes a chat user.
        dialect: Where the server looks for tokens and keys.
        people: The users behind tokens.
        app_id: The app id that `cometchat` wants in the header `appId`.
        api_key: The admin key; any other value in the header `apikey` is refused.
        tokens: Signs and reads the tokens of real-time connections.
        online: Whether a user has an open socket.
    """

    def __init__(
        self,
        world: ChatWorld,
        dialect: Dialect,
        people: People,
        *,
        app_id: str,
        api_key: str,
        tokens: SocketTokens,
        online: Callable[[str], bool],
    ) -> None:
        self.app_id = app_id
        self._world = world
        self._dialect = dialect
        self._people = people
        self._api_key = api_key
        self._tokens = tokens
        self._online = online

    def caller(self, call: Call, *, keyed: bool = False) -> Caller:
        """Find the caller, and refuse a wrong `apikey`.

        OpenChat looks at `apikey` only in calls that its admin API has as well: sends, joins that name
        participants, lists of members (measured); CometChat everywhere.

        Args:
            call: The call.
            keyed: Whether the admin API has this call, too.

        Raises:
            ChatRefusal: `no_token`, `bad_token`, `bad_apikey`, or a reason of `check_app`.
        """
        self.check_app(call)
        apikey = call.headers.get("apikey")
        if apikey and (keyed or self._dialect.needs_app_id):
            if apikey != self._api_key:
                raise ChatRefusal("bad_apikey")
            return self._admin(call)
        token = self.token_of(call)
        if not token:
            raise ChatRefusal("no_token")
        person = self._people.by_chat_token(token) or self._behind_jwt(token)
        if person is None:
            raise ChatRefusal("bad_token")
        self._world.ensure_user(person.uid, person.nickname)
        self._world.touch(person.uid, self._online)
        return Caller(person.uid, token, call.headers.get("resource") or None)

    def check_app(self, call: Call) -> None:
        """Refuse a call without the headers and the app id that this dialect needs.

        Raises:
            ChatRefusal: `missing_header`, `no_app_id`, `bad_app_id`.
        """
        for name in sorted(self._dialect.required_headers):
            if name not in call.headers:
                raise ChatRefusal("missing_header", parameter=name)
        if not self._dialect.needs_app_id:
            return
        app_id = call.headers.get("appId", "")
        if not app_id:
            raise ChatRefusal("no_app_id")
        if app_id != self.app_id:
            raise ChatRefusal("bad_app_id")

    def check_key(self, call: Call) -> None:
        """Refuse a call of the admin API without the admin key.

        Raises:
            ChatRefusal: `no_apikey`, `bad_apikey`, or a reason of `check_app`.
        """
        self.check_app(call)
        if not call.headers.get("apikey"):
            raise ChatRefusal("no_apikey")
        if call.headers["apikey"] != self._api_key:
            raise ChatRefusal("bad_apikey")

    def token_of(self, call: Call) -> str:
        """Take the auth token from where this dialect looks for it."""
        token = call.headers.get("authtoken", "")
        if token or not self._dialect.bearer:
            return token
        scheme, _, value = call.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and value:
            return value.strip()
        inside = call.body.get("authToken") if isinstance(call.body, dict) else None
        return call.query.get("authToken", "") or (inside if isinstance(inside, str) else "")

    def socket_token(self, uid: str, token: str) -> str:
        """Sign the token with which a user opens a real-time connection."""
        return self._tokens.sign(uid, self._world.now, self._dialect.jwt_lifetime_s, of=token)

    def introduce(self, uid: str) -> None:
        """Make a person of the sandbox a chat user, even one that never called."""
        person = self._people.find(uid)
        if person is not None:
            self._world.ensure_user(person.uid, person.nickname)

    def introduce_all(self) -> None:
        """Make every person of the sandbox a chat user."""
        for person in self._people:
            self._world.ensure_user(person.uid, person.nickname)

    def _behind_jwt(self, token: str) -> Person | None:
        """Measured on OpenChat: the JWT of `/me` works in the place of the token."""
        known = self._tokens.read(token, self._world.now) if self._dialect.bearer else None
        return self._people.find(known[0]) if known is not None else None

    def _admin(self, call: Call) -> Caller:
        """Act for the body's `sender`, on CometChat also for `onBehalfOf`, as the admin API does."""
        body = call.body if isinstance(call.body, dict) else {}
        uid, otherwise = body.get("sender"), SYSTEM
        if self._dialect.name == "cometchat":
            uid, otherwise = call.headers.get("onBehalfOf") or uid, "app_system"
        name = text_of(uid, "sender") or otherwise
        self._world.ensure_user(name)
        return Caller(name, "", call.headers.get("resource") or None, admin=True)
