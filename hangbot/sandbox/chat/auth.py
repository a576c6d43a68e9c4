"""Who calls, and what every REST call of the chat needs.

PURE.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hangbot.sandbox.chat.call import Answer, Call, Directory, Someone
from hangbot.sandbox.chat.dialects import Dialect
from hangbot.sandbox.chat.paging import cut_page, history_query
from hangbot.sandbox.chat.reactions import Reactions
from hangbot.sandbox.chat.rows import SYSTEM, Json, Row
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.socket_token import SocketTokens
from hangbot.sandbox.chat.values import text_of
from hangbot.sandbox.chat.world import ChatWorld

__all__ = ["Caller", "ChatDoor"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, with which token and from which device."""

    uid: str
    token: str
    resource: str | None
    admin: bool = False


class ChatDoor:
    """What all calls share. The arguments are those of `hangbot.sandbox.chat.routes.ChatApi`."""

    def __init__(
        self,
        world: ChatWorld,
        dialect: Dialect,
        people: Directory,
        *,
        app_id: str,
        api_key: str,
        jwt: SocketTokens,
        online: Callable[[str], bool],
    ) -> None:
        self.world = world
        self.dialect = dialect
        self.reactions = Reactions()
        world.on_forget = self.reactions.forget
        self._people = people
        self._app_id = app_id
        self._api_key = api_key
        self._jwt = jwt
        self._online = online

    # -- the door ----------------------------------------------------------------------

    def refusal(self, refused: ChatRefusal) -> Answer:
        """Word a refusal."""
        status, body = self.dialect.refusal(refused)
        return Answer(status, body, unknown_route=refused.reason == "route_unknown")

    def _no_route(self, call: Call) -> Answer:
        raise ChatRefusal("route_unknown", method=call.method, path=call.path)

    def token_of(self, call: Call) -> str:
        """Take the auth token from where this dialect looks for it."""
        token = call.headers.get("authtoken", "")
        if token or not self.dialect.bearer:
            return token
        scheme, _, value = call.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and value:
            return value.strip()
        inside = call.body.get("authToken") if isinstance(call.body, dict) else None
        return call.query.get("authToken", "") or (inside if isinstance(inside, str) else "")

    def _check_app(self, call: Call) -> None:
        for name in sorted(self.dialect.required_headers):
            if name not in call.headers:
                raise ChatRefusal("missing_header", parameter=name)
        if not self.dialect.needs_app_id:
            return
        app_id = call.headers.get("appId", "")
        if not app_id:
            raise ChatRefusal("no_app_id")
        if app_id != self._app_id:
            raise ChatRefusal("bad_app_id")

    def _caller(self, call: Call, *, keyed: bool = False) -> Caller:
        """Find out who calls, and refuse an `apikey` that is none.

        OpenChat looks at `apikey` only in calls that its admin API has as well: sends, joins that name
        participants, lists of members (measured); CometChat everywhere.

        Args:
            call: The call.
            keyed: Whether it is a call of the admin API, too.
        """
        self._check_app(call)
        apikey = call.headers.get("apikey")
        if apikey and (keyed or self.dialect.needs_app_id):
            if apikey != self._api_key:
                raise ChatRefusal("bad_apikey")
            return self._admin(call)
        token = self.token_of(call)
        if not token:
            raise ChatRefusal("no_token")
        person = self._people.by_chat_token(token) or self._behind_jwt(token)
        if person is None:
            raise ChatRefusal("bad_token")
        self.world.ensure_user(person.uid, person.nickname)
        self.world.touch(person.uid, self._online)
        return Caller(person.uid, token, call.headers.get("resource") or None)

    def _behind_jwt(self, token: str) -> Someone | None:
        """Measured on OpenChat: the JWT of `/me` works in the place of the token."""
        known = self._jwt.read(token, self.world.now) if self.dialect.bearer else None
        return self._people.find(known[0]) if known is not None else None

    def _admin(self, call: Call) -> Caller:
        """The admin API acts for whom the body's `sender` names, on CometChat also `onBehalfOf`."""
        body = call.body if isinstance(call.body, dict) else {}
        uid, otherwise = body.get("sender"), SYSTEM
        if self.dialect.name == "cometchat":
            uid, otherwise = call.headers.get("onBehalfOf") or uid, "app_system"
        name = text_of(uid, "sender") or otherwise
        self.world.ensure_user(name)
        return Caller(name, "", call.headers.get("resource") or None, admin=True)

    def _fields(self, call: Call) -> dict[str, Json]:
        if call.unreadable is not None:
            raise ChatRefusal(call.unreadable)
        return call.body if isinstance(call.body, dict) else {}

    def _introduce(self, uid: str) -> None:
        """Somebody whom the sandbox knows is a chat user, though he never spoke."""
        person = self._people.find(uid)
        if person is not None:
            self.world.ensure_user(person.uid, person.nickname)

    def _introduce_all(self) -> None:
        for person in self._people:
            self.world.ensure_user(person.uid, person.nickname)

    # -- showing rows ------------------------------------------------------------------

    def _shown(self, uid: str, row: Row) -> Row:
        return self.dialect.render(row, uid, self.reactions.own(row["id"], uid))

    def _one(self, caller: Caller, row: Row) -> Answer:
        return Answer(200, {"data": self._shown(caller.uid, row)}, uid=caller.uid)

    def _page(self, call: Call, caller: Caller, rows: list[Row]) -> Answer:
        query = history_query(
            call.query, documented=self.dialect.documented_lists, affix=self.dialect.default_affix
        )
        page = cut_page(rows, query)
        shown = [self._shown(caller.uid, row) for row in page.rows]
        if self.dialect.bare_newest_first and not call.query.get("affix"):
            shown.reverse()
        return Answer(200, {"data": shown, "meta": page.meta}, uid=caller.uid)
