"""The chat server's REST calls: a call in, an answer and pushes out.

PURE: no sockets and no waiting. `hangbot.sandbox.chat_server` reads requests from the wire,
applies faults around `ChatApi.answer`, and sends what comes back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import unquote

from hangbot.sandbox.chat_changes import (
    Reactions,
    delete_message,
    delivered_at_once,
    edit_message,
    mark,
    readable_message,
    unread_counts,
)
from hangbot.sandbox.chat_dialects import Dialect
from hangbot.sandbox.chat_drafts import read_draft, text_of
from hangbot.sandbox.chat_jwt import ChatJwt
from hangbot.sandbox.chat_lists import cut_page, history_query
from hangbot.sandbox.chat_rows import Draft, Json, Push, Row, group_entity, member_entity, user_entity
from hangbot.sandbox.chat_settings import chat_settings
from hangbot.sandbox.chat_world import ChatRefusal, ChatWorld

__all__ = ["Answer", "Call", "ChatApi", "Directory", "fault_point", "split_path"]

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


def split_path(path: str) -> tuple[str, ...] | None:
    """Split a path below `/v3` or `/v3.0`; doubled slashes count as one. None for another path."""
    parts = [part for part in path.split("/") if part]
    if not parts or parts[0] not in VERSIONS:
        return None
    return tuple(unquote(part, errors="replace") for part in parts[1:])


def fault_point(method: str, segments: tuple[str, ...]) -> str:  # noqa: PLR0911  one line a point
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


@dataclass(slots=True)
class _Caller:
    uid: str
    token: str
    resource: str | None


class ChatApi:
    """All REST calls of one chat server.

    Args:
        world: What the server knows.
        dialect: How it speaks.
        people: Who is behind a token.
        app_id: The app id that `cometchat` wants in the header `appId`.
        api_key: The admin key; any other value in the header `apikey` is refused.
        jwt: Signs the token for the real-time connection.
        online: Whether a user has an open socket.
    """

    def __init__(  # noqa: PLR0913  the parts a chat server is made of
        self,
        world: ChatWorld,
        dialect: Dialect,
        people: Directory,
        *,
        app_id: str,
        api_key: str,
        jwt: ChatJwt,
        online: Callable[[str], bool],
    ) -> None:
        self.world = world
        self.dialect = dialect
        self.reactions = Reactions()
        self._people = people
        self._app_id = app_id
        self._api_key = api_key
        self._jwt = jwt
        self._online = online
        self._areas: dict[str, Callable[[Call], Answer]] = {
            "messages": self._messages,
            "groups": self._groups,
            "user": self._own,
            "users": self._users,
            "me": self._me,
            "settings": self._settings,
            "user_sessions": self._own,
            "conversations": self._own,
        }

    # -- the door ----------------------------------------------------------------------

    def answer(self, call: Call) -> Answer:
        """Do what a call asks for. Never raises: whatever the body holds is answered."""
        area = self._areas.get(call.segments[0]) if call.segments else None
        try:
            answer = area(call) if area is not None else self._no_route(call)
        except ChatRefusal as refused:
            return self.refusal(refused)
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
            # A value of a type that nobody foresaw: OpenChat crashes there, too.
            return self.refusal(ChatRefusal("bad_value"))
        return answer

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
        return call.query.get("authToken", "")

    def _check_app(self, call: Call) -> None:
        if not self.dialect.needs_app_id:
            return
        app_id = call.headers.get("appId", "")
        if not app_id:
            raise ChatRefusal("no_app_id")
        if app_id != self._app_id:
            raise ChatRefusal("bad_app_id")

    def _caller(self, call: Call) -> _Caller:
        """Find out who calls, and refuse an `apikey` that is none.

        OpenChat looks at `apikey` only where something is written (measured on sends and joins).
        """
        self._check_app(call)
        apikey = call.headers.get("apikey")
        writes = call.method != "GET"
        if apikey is not None and (writes or self.dialect.needs_app_id):
            if apikey != self._api_key:
                raise ChatRefusal("bad_apikey")
            return self._admin(call)
        token = self.token_of(call)
        if not token:
            raise ChatRefusal("no_token")
        person = self._people.by_chat_token(token)
        if person is None:
            raise ChatRefusal("bad_token")
        self.world.ensure_user(person.uid, person.nickname)
        return _Caller(person.uid, token, call.headers.get("resource") or None)

    def _admin(self, call: Call) -> _Caller:
        """The admin API acts for whom `onBehalfOf`, or the body's `sender`, names."""
        body = call.body if isinstance(call.body, dict) else {}
        uid = call.headers.get("onBehalfOf") or body.get("sender") or "app_system"
        self.world.ensure_user(text_of(uid, "sender"))
        return _Caller(str(uid), "", call.headers.get("resource") or None)

    def _fields(self, call: Call) -> dict[str, Json]:
        if call.unreadable is not None:
            raise ChatRefusal(call.unreadable)
        return call.body if isinstance(call.body, dict) else {}

    # -- session -----------------------------------------------------------------------

    def _settings(self, call: Call) -> Answer:
        if call.method != "GET" or len(call.segments) != 1:
            return self._no_route(call)
        self._check_app(call)
        return Answer(
            200, {"data": chat_settings(call.headers.get("Host", ""), self.world.now, self.dialect)}
        )

    def _me(self, call: Call) -> Answer:
        if len(call.segments) != 1 or call.method not in ("GET", "PUT", "DELETE"):
            return self._no_route(call)
        if call.method != "GET":
            self._fields(call)
        caller = self._caller(call)
        if call.method == "DELETE":
            self._people.revoke(caller.token)
            return Answer(200, {"data": {"success": True}}, uid=caller.uid)
        return Answer(200, {"data": self.session(caller.uid, caller.token, call)}, uid=caller.uid)

    def session(self, uid: str, token: str, call: Call) -> Row:
        """The own user with what a login needs."""
        user = self.world.user(uid)
        lifetime_s = self.dialect.jwt_lifetime_s
        me = user_entity(user)
        own: Row = {**me, "authToken": token}
        if self.dialect.name == "cometchat":
            del own["metadata"], own["tags"]
            own["createdAt"] = user.created_at
            if call.method == "GET":
                del own["authToken"]
                return own
            own["wsChannel"] = {"identity": f"[{self._app_id}]{uid}"}
        else:
            own["wsChannel"] = f"user_{uid}"
            own["fat"] = self._jwt.sign(uid, self.world.now, lifetime_s, of=token)
        own["jwt"] = self._jwt.sign(uid, self.world.now, lifetime_s, of=token)
        own["settings"] = chat_settings(call.headers.get("Host", ""), self.world.now, self.dialect)
        return own

    def _own(self, call: Call) -> Answer:
        match (call.method, *call.segments):
            case ("GET", "user", "messages", muid):
                caller = self._caller(call)
                row = self.world.by_muid(muid)
                if row is None or not self._may_see(caller.uid, row):
                    raise ChatRefusal("message_unknown", id=muid)
                return self._one(caller, row)
            case ("POST", "user_sessions"):
                body = self._fields(call)
                caller = self._caller(call)
                data = {
                    "sessionId": body.get("sessionId"),
                    "uid": caller.uid,
                    "createdAt": self.world.now,
                }
                return Answer(200, {"data": data}, uid=caller.uid)
            case ("GET", "conversations"):
                caller = self._caller(call)
                return Answer(200, {"data": self._conversations(caller)}, uid=caller.uid)
            case _:
                return self._no_route(call)

    def _may_see(self, uid: str, row: Row) -> bool:
        return row["receiverType"] == "group" or uid in (row["sender"], row["receiver"])

    def _conversations(self, caller: _Caller) -> list[Row]:
        unread = {line["entityId"]: line["count"] for line in unread_counts(self.world, caller.uid)}
        found = []
        for conversation in self.world.conversations(caller.uid):
            last = self.world.rows(conversation)[-1]
            kind = last["receiverType"]
            if kind == "group":
                name = last["receiver"]
                entity = group_entity(self.world.groups[name])
            else:
                name = last["sender"] if last["sender"] != caller.uid else last["receiver"]
                entity = user_entity(self.world.ensure_user(name))
            shown = self._shown(caller.uid, last)
            found.append(
                {
                    "conversationId": shown["conversationId"],
                    "conversationType": kind,
                    "conversationWith": entity,
                    "lastMessage": shown,
                    "unreadMessageCount": unread.get(name, 0),
                    "updatedAt": last["updatedAt"],
                }
            )
        return found

    # -- users -------------------------------------------------------------------------

    def _users(self, call: Call) -> Answer:
        match (call.method, *call.segments):
            case ("GET", "users", uid):
                caller = self._caller(call)
                self._introduce(uid)
                user = user_entity(self.world.user(uid))
                data = {**user, "blockedByMe": False, "hasBlockedMe": False}
                return Answer(200, {"data": data}, uid=caller.uid)
            case ("GET", "users", uid, "messages"):
                caller = self._caller(call)
                answer = self._page(call, caller, self.world.direct_rows(caller.uid, uid))
                answer.delay_s = self.dialect.direct_history_delay_s
                return answer
            case ("POST", "users", uid, "conversation", ("read" | "delivered") as action):
                body = self._fields(call)
                caller = self._caller(call)
                rows = self.world.direct_rows(caller.uid, uid)
                return self._mark_conversation(caller, rows, body, action)
            case ("POST", "users", uid, "auth_tokens"):
                return self._issue_token(call, uid)
            case _:
                return self._no_route(call)

    def _introduce(self, uid: str) -> None:
        """Somebody whom the sandbox knows is a chat user, though he never spoke."""
        person = self._people.find(uid)
        if person is not None:
            self.world.ensure_user(person.uid, person.nickname)

    def _issue_token(self, call: Call, uid: str) -> Answer:
        """Admin API: a token for a user; the sandbox gives the one that he has."""
        self._check_app(call)
        if call.headers.get("apikey") != self._api_key:
            raise ChatRefusal("bad_apikey")
        self._introduce(uid)
        self.world.user(uid)
        person = self._people.find(uid)
        token = person.chat_token if person is not None else ""
        if self.dialect.name == "cometchat":
            return Answer(200, {"data": {"uid": uid, "authToken": token, "createdAt": self.world.now}})
        return Answer(200, {"data": self.session(uid, token, call)}, uid=uid)

    # -- groups ------------------------------------------------------------------------

    def _groups(self, call: Call) -> Answer:  # noqa: PLR0911  one line a route
        match (call.method, *call.segments):
            case ("GET", "groups", guid, "messages"):
                caller = self._caller(call)
                self.world.require_reader(guid, caller.uid)
                return self._page(call, caller, self.world.rows(f"group_{guid}"))
            case ("GET", "groups", guid):
                return self._group(call, guid)
            case ("GET", "groups", guid, "members"):
                return self._members(call, guid)
            case ("POST", "groups", guid, "members"):
                return self._join(call, guid)
            case ("DELETE", "groups", guid, "members"):
                caller = self._caller(call)
                return self._left(caller, guid)
            case ("DELETE", "groups", guid, "members", uid):
                caller = self._caller(call)
                if uid != caller.uid:
                    raise ChatRefusal("remove_other", uid=uid, guid=guid)
                return self._left(caller, guid)
            case ("POST", "groups", guid, "conversation", ("read" | "delivered") as action):
                body = self._fields(call)
                caller = self._caller(call)
                self.world.require_reader(guid, caller.uid)
                return self._mark_conversation(caller, self.world.rows(f"group_{guid}"), body, action)
            case _:
                return self._no_route(call)

    def _group(self, call: Call, guid: str) -> Answer:
        caller = self._caller(call)
        group = self.world.group(guid)
        shown = group_entity(group)
        member = group.members.get(caller.uid)
        if self.dialect.name == "cometchat" and member is not None:
            # Documented; OpenChat says `hasJoined: false` even to a member.
            shown |= {"hasJoined": True, "scope": member.scope, "joinedAt": member.joined_at}
        if self.dialect.name == "cometchat":
            shown["conversationId"] = f"group_{guid}"
        return Answer(200, {"data": shown}, uid=caller.uid)

    def _members(self, call: Call, guid: str) -> Answer:
        caller = self._caller(call)
        group = self.world.group(guid)
        rows = [member_entity(group, self.world.ensure_user(uid)) for uid in group.members]
        if not self.dialect.members_meta:
            return Answer(200, {"data": rows}, uid=caller.uid)
        size = min(max(_whole(call.query.get("per_page"), 100), 1), 1000)
        page = max(_whole(call.query.get("page"), 1), 1)
        cut = rows[(page - 1) * size : page * size]
        pagination = {
            "total": len(rows),
            "count": len(cut),
            "per_page": size,
            "current_page": page,
            "total_pages": max(1, -(-len(rows) // size)),
        }
        return Answer(200, {"data": cut, "meta": {"pagination": pagination}}, uid=caller.uid)

    def _join(self, call: Call, guid: str) -> Answer:
        """Every body means "join myself": the SDK's, the three of public bots, and none at all."""
        body = self._fields(call)
        caller = self._caller(call)
        password = body.get("password")
        action, pushes = self.world.join(caller.uid, guid, password if isinstance(password, str) else None)
        group = self.world.group(guid)
        joined = group_entity(group, has_joined=True)
        target = {"entities": {"for": {"entityType": "group", "entity": joined}}}
        if self.dialect.name == "cometchat":
            return Answer(200, {"data": self.dialect.render(action)}, pushes, uid=caller.uid)
        return Answer(200, {"data": {**joined, "data": target}}, pushes, uid=caller.uid)

    def _left(self, caller: _Caller, guid: str) -> Answer:
        pushes = self.world.leave(caller.uid, guid)
        return Answer(200, {"data": {"success": True}}, pushes, uid=caller.uid)

    # -- messages ----------------------------------------------------------------------

    def _messages(self, call: Call) -> Answer:  # noqa: PLR0911  one line a route
        match (call.method, *call.segments):
            case ("POST", "messages"):
                return self._send(call, None)
            case ("GET", "messages"):
                return self._inbox(call)
            case ("GET", "messages", number):
                caller = self._caller(call)
                return self._one(caller, readable_message(self.world, caller.uid, number))
            case ("PUT", "messages", number):
                return self._edit(call, number)
            case ("DELETE", "messages", number):
                caller = self._caller(call)
                row = readable_message(self.world, caller.uid, number)
                action, pushes = delete_message(self.world, caller.uid, row, caller.resource)
                return Answer(200, {"data": self._shown(caller.uid, action)}, pushes, uid=caller.uid)
            case ("POST", "messages", number, "thread"):
                return self._send(call, number)
            case ("GET", "messages", number, "thread"):
                caller = self._caller(call)
                parent = readable_message(self.world, caller.uid, number)
                rows = self.world.rows(parent["conversationId"])
                replies = [row for row in rows if str(row.get("parentId")) == number]
                return self._page(call, caller, replies)
            case ("POST" | "DELETE" | "GET", "messages", _, "reactions", *_):
                return self._reactions(call)
            case ("POST", "messages", number, "interactions"):
                return self._interact(call, number)
            case ("PATCH", "messages", number, "interacted") if self.dialect.name == "cometchat":
                return self._interact(call, number)
            case _:
                return self._no_route(call)

    def _send(self, call: Call, parent: str | None) -> Answer:
        fields = self._fields(call)
        caller = self._caller(call)
        draft = read_draft(fields, self.dialect, resource=caller.resource, parent=parent)
        if parent is not None:
            readable_message(self.world, caller.uid, parent)
        row, pushes = self.store(caller.uid, draft)
        status = 200 if parent is not None else self.dialect.send_status
        return Answer(status, {"data": self._shown(caller.uid, row)}, pushes, uid=caller.uid)

    def store(self, uid: str, draft: Draft) -> tuple[Row, list[Push]]:
        """Store a message; a direct one that reaches a socket is acknowledged at once."""
        if draft.receiver_type == "user":
            self._introduce(draft.receiver)
        row, pushes = self.world.send(uid, draft)
        if draft.receiver_type == "user" and self._online(draft.receiver):
            pushes += delivered_at_once(self.world, row)
        return row, pushes

    def _inbox(self, call: Call) -> Answer:
        caller = self._caller(call)
        query = call.query
        if query.get("unread") == "1" and query.get("count") == "1":
            return Answer(200, {"data": unread_counts(self.world, caller.uid)}, uid=caller.uid)
        sender = query.get("sender")
        if query.get("receiverType") == "user" and sender:
            return self._page(call, caller, self.world.direct_rows(caller.uid, sender))
        return Answer(200, {"data": []}, uid=caller.uid)

    def _edit(self, call: Call, number: str) -> Answer:
        fields = self._fields(call)
        caller = self._caller(call)
        row = readable_message(self.world, caller.uid, number)
        data = fields.get("data", {})
        if not isinstance(data, dict):
            raise ChatRefusal("bad_value", parameter="data")
        action, pushes = edit_message(self.world, caller.uid, row, data, caller.resource)
        return Answer(200, {"data": self._shown(caller.uid, action)}, pushes, uid=caller.uid)

    def _reactions(self, call: Call) -> Answer:
        caller = self._caller(call)
        row = readable_message(self.world, caller.uid, call.segments[1])
        if call.method == "GET" and len(call.segments) in (3, 4):
            emoji = call.segments[3] if len(call.segments) > 3 else None  # noqa: PLR2004  the emoji
            found = self.reactions.rows(self.world, row["id"], caller.uid, emoji)
            return Answer(200, {"data": found, "meta": _reactions_meta(found)}, uid=caller.uid)
        if call.method == "GET" or len(call.segments) != 4:  # noqa: PLR2004  messages/ID/reactions/EMOJI
            return self._no_route(call)
        change = self.reactions.add if call.method == "POST" else self.reactions.remove
        changed, pushes = change(self.world, caller.uid, row, call.segments[3], caller.resource)
        return Answer(200, {"data": self._shown(caller.uid, changed)}, pushes, uid=caller.uid)

    def _interact(self, call: Call, number: str) -> Answer:
        self._fields(call)
        caller = self._caller(call)
        row = readable_message(self.world, caller.uid, number)
        data, pushes = mark(self.world, caller.uid, row, "read")
        return Answer(200, {"data": data}, pushes, uid=caller.uid)

    def _mark_conversation(
        self, caller: _Caller, rows: list[Row], body: dict[str, Json], action: str
    ) -> Answer:
        number = body.get("messageId")
        if number is None:
            row = rows[-1] if rows else None
        else:
            row = self.world.by_id(_whole(number, -1))
        if row is None:
            raise ChatRefusal("message_unknown", id=str(number))
        data, pushes = mark(self.world, caller.uid, row, action)
        return Answer(200, {"data": data}, pushes, uid=caller.uid)

    # -- showing rows ------------------------------------------------------------------

    def _shown(self, uid: str, row: Row) -> Row:
        return self.dialect.render(row, uid, self.reactions.own(row["id"], uid))

    def _one(self, caller: _Caller, row: Row) -> Answer:
        return Answer(200, {"data": self._shown(caller.uid, row)}, uid=caller.uid)

    def _page(self, call: Call, caller: _Caller, rows: list[Row]) -> Answer:
        query = history_query(call.query, documented=self.dialect.documented_lists)
        page = cut_page(rows, query)
        shown = [self._shown(caller.uid, row) for row in page.rows]
        return Answer(200, {"data": shown, "meta": page.meta}, uid=caller.uid)


def _whole(value: Any, otherwise: int) -> int:  # noqa: ANN401  any JSON value
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else otherwise  # noqa: PLR2004  63 bits


def _reactions_meta(found: list[Row]) -> Row:
    first = found[0]["id"] if found else 0
    return {
        "pagination": {
            "count": len(found),
            "current_page": 1,
            "per_page": 10,
            "total": len(found),
            "total_pages": 1,
        },
        "previous": {
            "affix": "prepend",
            "cursorAffix": "prepend",
            "cursorField": "id",
            "cursorId": first,
            "cursorValue": first,
        },
    }
