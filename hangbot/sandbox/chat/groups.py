"""The calls about groups and memberships.

PURE.
"""

from typing import Final

from hangbot.sandbox.chat.admin import AdminCalls
from hangbot.sandbox.chat.auth import Caller
from hangbot.sandbox.chat.call import Answer, Call
from hangbot.sandbox.chat.rows import Json, Push, group_entity, member_entity
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.users import UserCalls
from hangbot.sandbox.chat.values import whole

__all__ = ["GroupCalls"]

MOST_ADDED: Final = 25
"""How many members one call of the admin API may add (documented)."""

_SCOPES: Final = {
    "participants": "participant",
    "moderators": "moderator",
    "admins": "admin",
    "usersToBan": "banned",
}


class GroupCalls(AdminCalls, UserCalls):
    """`groups`, `groups/{guid}` and what is below it."""

    def _groups(self, call: Call) -> Answer:
        match (call.method, *call.segments):
            case ("GET", "groups"):
                caller = self._caller(call)
                found = self._found(call, map(group_entity, self.world.groups.values()), "guid")
                return Answer(200, {"data": found}, uid=caller.uid)
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
                return self._left(self._caller(call), guid)
            case ("DELETE", "groups", guid, "members", uid):
                return self._removed(call, guid, uid)
            case _:
                return self._no_route(call)

    def _group(self, call: Call, guid: str) -> Answer:
        caller = self._caller(call)
        group = self.world.group(guid)
        shown = group_entity(group)
        if self.dialect.name == "openchat":
            return Answer(200, {"data": {**shown, "membersCount": 0}}, uid=caller.uid)  # measured
        member = group.members.get(caller.uid)
        if member is not None:  # documented; OpenChat says `hasJoined: false` even to a member
            shown |= {"hasJoined": True, "scope": member.scope, "joinedAt": member.joined_at}
        shown["conversationId"] = f"group_{guid}"
        return Answer(200, {"data": shown}, uid=caller.uid)

    def _members(self, call: Call, guid: str) -> Answer:
        caller = self._caller(call, keyed=True)
        group = self.world.group(guid)
        scope = call.query.get("scope")
        named = sorted(uid for uid, member in group.members.items() if scope in (None, "", member.scope))
        rows = [member_entity(group, self.world.ensure_user(uid)) for uid in named]
        if not self.dialect.members_meta:
            return Answer(200, {"data": rows}, uid=caller.uid)
        size = min(max(whole(call.query.get("per_page"), 100), 1), 1000)
        page = max(whole(call.query.get("page"), 1), 1)
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
        # Measured: OpenChat looks at the key where participants are named, or nobody else is known.
        keyed = "participants" in body or not self.token_of(call)
        caller = self._caller(call, keyed=keyed)
        if caller.admin and self.dialect.name == "cometchat":
            return self._add_members(caller, guid, body)
        if caller.admin:
            return self._members_with_key(guid, body)
        password = body.get("password")
        self._rename(caller.uid)
        action, pushes = self.world.join(caller.uid, guid, password if isinstance(password, str) else None)
        group = self.world.group(guid)
        joined = group_entity(group, has_joined=True)
        target = {"entities": {"for": {"entityType": "group", "entity": joined}}}
        if self.dialect.name == "cometchat":
            return Answer(200, {"data": self.dialect.render(action)}, pushes, uid=caller.uid)
        return Answer(200, {"data": {**joined, "data": target}}, pushes, uid=caller.uid)

    def _add_members(self, caller: Caller, guid: str, body: dict[str, Json]) -> Answer:
        """The admin API's meaning of the same path (documented): an outcome for each uid."""
        lists = ((scope, body.get(kind)) for kind, scope in _SCOPES.items())
        named = [(uid, scope) for scope, uids in lists if isinstance(uids, list) for uid in uids]
        if not 0 < len(named) <= MOST_ADDED or not all(isinstance(uid, str) for uid, _ in named):
            raise ChatRefusal("bad_value", parameter="participants")
        self.world.group(guid, "join_group_unknown")
        outcomes: dict[str, Json] = {}
        pushes: list[Push] = []
        for uid, scope in named:
            self._introduce(uid)
            try:
                pushes += (
                    self.world.ban(uid, guid)
                    if scope == "banned"
                    else self.world.add(uid, guid, scope, caller.uid)
                )
                outcomes[uid] = {"success": True, "data": {"uid": uid, "guid": guid, "scope": scope}}
            except ChatRefusal as refused:
                outcomes[uid] = self.dialect.refusal(refused)[1]
        return Answer(200, {"data": outcomes}, pushes, uid=caller.uid)

    def _rename(self, uid: str) -> None:
        person = self._people.find(uid)
        if person is not None:
            self.world.rename(uid, person.nickname)

    def _removed(self, call: Call, guid: str, uid: str) -> Answer:
        """Leave by one's own uid; to take others out, the admin key is needed."""
        caller = self._caller(call, keyed=True)
        if caller.admin and self.dialect.name == "openchat":
            return Answer(200, {"data": {"success": True}}, self.world.kick(uid, guid))
        if uid != caller.uid:
            raise ChatRefusal("remove_other", uid=uid, guid=guid)
        return self._left(caller, guid)

    def _left(self, caller: Caller, guid: str) -> Answer:
        pushes = self.world.leave(caller.uid, guid)
        return Answer(200, {"data": {"success": True}}, pushes, uid=caller.uid)
