"""The admin API: what nobody may do who has not the key, be he owner or moderator.

PURE. OpenChat answers everybody else with 403, also without any token (measured). With the key,
calls whose answer was recorded are carried out; the others are unknown routes here.
"""

from hangbot.sandbox.chat.call import Answer, Call
from hangbot.sandbox.chat.me import SessionCalls
from hangbot.sandbox.chat.rows import Json, Push, Row, group_entity, user_entity
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.values import text_of

__all__ = ["AdminCalls", "needs_key"]

_SCOPES = {"participants": "participant", "moderators": "moderator", "admins": "admin"}


def needs_key(method: str, segments: tuple[str, ...]) -> bool:
    """Whether a call is one of the admin API alone."""
    match (method, *segments):
        case ("POST", "users" | "groups"):
            return True
        case ("PUT" | "DELETE", "users" | "groups", _):
            return True
        case ("POST", "users", _, "auth_tokens") | ("GET", "groups", _, "bannedusers"):
            return True
        case ("POST" | "DELETE", "groups", _, "bannedusers", _) | ("PUT", "groups", _, "members", _):
            return True
        case ("DELETE", "conversations", _):
            return True
        case _:
            return False


class AdminCalls(SessionCalls):
    """`users`, `groups`, members and bans, as the key's owner changes them."""

    def _with_key(self, call: Call) -> Answer:
        self._check_key(call)
        fields = self._fields(call)
        match (call.method, *call.segments):
            case ("POST", "users"):
                return self._new_user(fields)
            case ("POST", "users", uid, "auth_tokens"):
                return self._issue_token(call, uid)
            case ("POST", "groups"):
                return self._new_group(fields)
            case ("POST", "groups", guid, "bannedusers", uid):
                pushes = self.world.ban(uid, guid)
                data = {"guid": guid, "uid": uid, "message": "User banned.", "success": True}
                return Answer(200, {"data": data}, pushes)
            case ("DELETE", "groups", guid, "bannedusers", uid):
                pushes = self.world.unban(uid, guid)
                data = {"guid": guid, "uid": uid, "message": "User unbanned.", "success": True}
                return Answer(200, {"data": data}, pushes)
            case ("PUT", "groups", guid, "members", uid):
                pushes = self.world.set_scope(uid, guid, text_of(fields.get("scope"), "scope"))
                outcome = {uid: {"message": "Member added.", "success": True}}
                group = group_entity(self.world.group(guid))
                return Answer(200, {"data": {"group": group, "success": outcome}}, pushes)
            case _:
                return self._no_route(call)

    def _check_key(self, call: Call) -> None:
        self._check_app(call)
        if not call.headers.get("apikey"):
            raise ChatRefusal("no_apikey")
        if call.headers["apikey"] != self._api_key:
            raise ChatRefusal("bad_apikey")

    def _new_user(self, fields: dict[str, Json]) -> Answer:
        uid = text_of(fields.get("uid"), "uid")
        if not uid:
            raise ChatRefusal("missing_parameter", parameter="uid")
        name = text_of(fields.get("name"), "name") or uid
        if self._people.find(uid) is None:
            self._people.add(name, uid=uid)
        return Answer(201, {"data": user_entity(self.world.ensure_user(uid, name))})

    def _new_group(self, fields: dict[str, Json]) -> Answer:
        guid = text_of(fields.get("guid"), "guid")
        if not guid:
            raise ChatRefusal("missing_parameter", parameter="guid")
        known = {name: text_of(fields[name], name) for name in ("password", "owner") if fields.get(name)}
        kind, name = (text_of(fields.get(field), field) for field in ("type", "name"))
        group = self.world.ensure_group(guid, name, kind=kind or "public", **known)
        return Answer(201, {"data": group_entity(group, count=0)})

    def _issue_token(self, call: Call, uid: str) -> Answer:
        """A token for a user; the sandbox gives the one that he has."""
        self._introduce(uid)
        self.world.user(uid)
        person = self._people.find(uid)
        token = person.chat_token if person is not None else ""
        if self.dialect.name == "cometchat":
            return Answer(200, {"data": {"uid": uid, "authToken": token, "createdAt": self.world.now}})
        return Answer(200, {"data": self.session(uid, token, call)}, uid=uid)

    def _members_with_key(self, guid: str, fields: dict[str, Json]) -> Answer:
        """Add members (measured): all of them, and the first one's fields beside."""
        self.world.group(guid, "join_group_unknown")
        members: list[Row] = []
        pushes: list[Push] = []
        for kind, scope in _SCOPES.items():
            uids = fields.get(kind)
            for named in uids if isinstance(uids, list) else ():
                uid = text_of(named.get("uid") if isinstance(named, dict) else named, kind)
                self._introduce(uid)
                self.world.ensure_user(uid)
                if uid not in self.world.group(guid).members:
                    pushes += self.world.add(uid, guid, scope)
                row = {"guid": guid, "uid": uid, "joinedAt": self.world.now, "role": scope, "scope": scope}
                members.append(row)
        first = members[0] if members else {"guid": guid}
        return Answer(200, {"data": {**first, "failed": {}, "members": members, "success": True}}, pushes)
