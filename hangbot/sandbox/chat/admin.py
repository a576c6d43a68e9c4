"""The admin API: calls that need the admin key, whatever a user's role.

PURE. OpenChat answers calls without the key with 403, with or without a token (measured). With the key,
calls whose answer was recorded are carried out; the others are unknown routes here.
"""

from typing import Final

from hangbot.sandbox.chat.auth import Caller
from hangbot.sandbox.chat.call import Answer, Call, data_answer
from hangbot.sandbox.chat.context import ChatContext
from hangbot.sandbox.chat.me import session
from hangbot.sandbox.chat.rows import Json, Push, Row, group_entity, user_entity
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.values import text_of

__all__ = [
    "add_members",
    "add_members_each",
    "add_user",
    "ban",
    "issue_token",
    "make_group",
    "not_recorded",
    "set_scope",
    "unban",
]

MOST_ADDED: Final = 25
"""How many members one call of CometChat's admin API may add (documented)."""

_SCOPES: Final = {"participants": "participant", "moderators": "moderator", "admins": "admin"}


def not_recorded(_chat: ChatContext, call: Call, *_ids: str) -> Answer:
    """Refuse a call whose answer to the key's owner was never recorded."""
    raise ChatRefusal("route_unknown", method=call.method, path=call.path)


def add_user(chat: ChatContext, call: Call) -> Answer:
    """Make a user."""
    fields = call.fields()
    uid = _required(fields, "uid")
    name = text_of(fields.get("name"), "name") or uid
    if chat.people.find(uid) is None:
        chat.people.add(name, uid=uid)
    return data_answer(None, user_entity(chat.world.ensure_user(uid, name)), status=201)


def make_group(chat: ChatContext, call: Call) -> Answer:
    """Make a group."""
    fields = call.fields()
    guid = _required(fields, "guid")
    known = {name: text_of(fields[name], name) for name in ("password", "owner") if fields.get(name)}
    kind, name = (text_of(fields.get(field), field) for field in ("type", "name"))
    group = chat.world.ensure_group(guid, name, kind=kind or "public", **known)
    return data_answer(None, group_entity(group, count=0), status=201)


def _required(fields: dict[str, Json], name: str) -> str:
    value = text_of(fields.get(name), name)
    if not value:
        raise ChatRefusal("missing_parameter", parameter=name)
    return value


def issue_token(chat: ChatContext, call: Call, uid: str) -> Answer:
    """Give a token for a user: the one that this user has."""
    chat.auth.introduce(uid)
    chat.world.user(uid)
    person = chat.people.find(uid)
    token = person.chat_token if person is not None else ""
    if chat.dialect.name == "cometchat":
        return data_answer(None, {"uid": uid, "authToken": token, "createdAt": chat.world.now})
    return data_answer(uid, session(chat, call, uid, token))


def ban(chat: ChatContext, _call: Call, guid: str, uid: str) -> Answer:
    """Ban a user from a group."""
    pushes = chat.world.ban(uid, guid)
    return data_answer(None, {"guid": guid, "uid": uid, "message": "User banned.", "success": True}, pushes)


def unban(chat: ChatContext, _call: Call, guid: str, uid: str) -> Answer:
    """Let a banned user join again."""
    pushes = chat.world.unban(uid, guid)
    return data_answer(None, {"guid": guid, "uid": uid, "message": "User unbanned.", "success": True}, pushes)


def set_scope(chat: ChatContext, call: Call, guid: str, uid: str) -> Answer:
    """Give a member another scope."""
    pushes = chat.world.set_scope(uid, guid, text_of(call.fields().get("scope"), "scope"))
    outcome = {uid: {"message": "Member added.", "success": True}}
    return data_answer(None, {"group": group_entity(chat.world.group(guid)), "success": outcome}, pushes)


# -- adding members: the path is that of a join


def add_members(chat: ChatContext, guid: str, fields: dict[str, Json]) -> Answer:
    """Add members (measured on OpenChat): all of them, and the first one's fields beside."""
    chat.world.group(guid, "join_group_unknown")
    members: list[Row] = []
    pushes: list[Push] = []
    for kind, scope in _SCOPES.items():
        uids = fields.get(kind)
        for named in uids if isinstance(uids, list) else ():
            uid = text_of(named.get("uid") if isinstance(named, dict) else named, kind)
            chat.auth.introduce(uid)
            chat.world.ensure_user(uid)
            if uid not in chat.world.group(guid).members:
                pushes += chat.world.add(uid, guid, scope)
            row = {"guid": guid, "uid": uid, "joinedAt": chat.world.now, "role": scope, "scope": scope}
            members.append(row)
    first = members[0] if members else {"guid": guid}
    return data_answer(None, {**first, "failed": {}, "members": members, "success": True}, pushes)


def add_members_each(chat: ChatContext, caller: Caller, guid: str, fields: dict[str, Json]) -> Answer:
    """Add and ban members (documented for CometChat): the answer says for each uid how it went."""
    scopes = {**_SCOPES, "usersToBan": "banned"}
    lists = ((scope, fields.get(kind)) for kind, scope in scopes.items())
    named = [(uid, scope) for scope, uids in lists if isinstance(uids, list) for uid in uids]
    if not 0 < len(named) <= MOST_ADDED or not all(isinstance(uid, str) for uid, _ in named):
        raise ChatRefusal("bad_value", parameter="participants")
    chat.world.group(guid, "join_group_unknown")
    outcomes: dict[str, Json] = {}
    pushes: list[Push] = []
    for uid, scope in named:
        chat.auth.introduce(uid)
        try:
            pushes += (
                chat.world.ban(uid, guid)
                if scope == "banned"
                else chat.world.add(uid, guid, scope, caller.uid)
            )
            outcomes[uid] = {"success": True, "data": {"uid": uid, "guid": guid, "scope": scope}}
        except ChatRefusal as refused:
            outcomes[uid] = chat.dialect.refusal(refused)[1]
    return data_answer(caller.uid, outcomes, pushes)
