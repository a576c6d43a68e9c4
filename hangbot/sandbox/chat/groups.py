"""The calls about groups and memberships.

PURE.
"""

from typing import Final

from hangbot.sandbox.chat.call import Answer, Call
from hangbot.sandbox.chat.door import Caller, ChatDoor, whole
from hangbot.sandbox.chat.rows import Json, Push, group_entity, member_entity
from hangbot.sandbox.chat.rules import ChatRefusal

__all__ = ["GroupCalls"]

MOST_ADDED: Final = 25
"""How many members one call of the admin API may add (documented)."""

_SCOPES: Final = {
    "participants": "participant",
    "moderators": "moderator",
    "admins": "admin",
    "usersToBan": "banned",
}


class GroupCalls(ChatDoor):
    """`groups/{guid}` and what is below it."""

    def _groups(self, call: Call) -> Answer:
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
        caller = self._caller(call)
        if caller.admin and self.dialect.name == "cometchat":
            return self._add_members(caller, guid, body)
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

    def _left(self, caller: Caller, guid: str) -> Answer:
        pushes = self.world.leave(caller.uid, guid)
        return Answer(200, {"data": {"success": True}}, pushes, uid=caller.uid)
