"""The calls about groups and memberships.

PURE.
"""

from hangbot.sandbox.chat.admin import add_members, add_members_each
from hangbot.sandbox.chat.call import Answer, Call, data_answer
from hangbot.sandbox.chat.context import ChatContext
from hangbot.sandbox.chat.rows import group_entity, member_entity
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.users import named_page
from hangbot.sandbox.chat.values import parse_int

__all__ = ["get_group", "group_history", "join", "leave", "list_groups", "list_members", "remove_member"]


def list_groups(chat: ChatContext, call: Call) -> Answer:
    """List groups by id."""
    caller = chat.auth.caller(call)
    return data_answer(caller.uid, named_page(call, map(group_entity, chat.world.groups.values()), "guid"))


def get_group(chat: ChatContext, call: Call, guid: str) -> Answer:
    """Give one group."""
    caller = chat.auth.caller(call)
    group = chat.world.group(guid)
    shown = group_entity(group)
    if chat.dialect.name == "openchat":
        return data_answer(caller.uid, {**shown, "membersCount": 0})  # measured
    member = group.members.get(caller.uid)
    if member is not None:  # documented; OpenChat says `hasJoined: false` even to a member
        shown |= {"hasJoined": True, "scope": member.scope, "joinedAt": member.joined_at}
    return data_answer(caller.uid, {**shown, "conversationId": f"group_{guid}"})


def group_history(chat: ChatContext, call: Call, guid: str) -> Answer:
    """Give a page of a group's history."""
    caller = chat.auth.caller(call)
    chat.world.require_reader(guid, caller.uid)
    return chat.page(call, caller, chat.world.store.rows(f"group_{guid}"))


def list_members(chat: ChatContext, call: Call, guid: str) -> Answer:
    """List the members of a group by id; OpenChat gives all of them at once."""
    caller = chat.auth.caller(call, keyed=True)
    group = chat.world.group(guid)
    scope = call.query.get("scope")
    named = sorted(uid for uid, member in group.members.items() if scope in (None, "", member.scope))
    rows = [member_entity(group, chat.world.ensure_user(uid)) for uid in named]
    if not chat.dialect.members_meta:
        return data_answer(caller.uid, rows)
    size = min(max(parse_int(call.query.get("per_page"), 100), 1), 1000)
    page = max(parse_int(call.query.get("page"), 1), 1)
    cut = rows[(page - 1) * size : page * size]
    pagination = {
        "total": len(rows),
        "count": len(cut),
        "per_page": size,
        "current_page": page,
        "total_pages": max(1, -(-len(rows) // size)),
    }
    return data_answer(caller.uid, cut, meta={"pagination": pagination})


def join(chat: ChatContext, call: Call, guid: str) -> Answer:
    """Join a group. Every body means "join myself": the SDK's, the three of public bots, and none."""
    body = call.fields()
    # Measured: OpenChat looks at the key where participants are named, or where there is no token.
    keyed = "participants" in body or not chat.auth.token_of(call)
    caller = chat.auth.caller(call, keyed=keyed)
    documented = chat.dialect.name == "cometchat"
    if caller.admin:
        return add_members_each(chat, caller, guid, body) if documented else add_members(chat, guid, body)
    password = body.get("password")
    person = chat.people.find(caller.uid)
    if person is not None:
        chat.world.rename(caller.uid, person.nickname)
    action, pushes = chat.world.join(caller.uid, guid, password if isinstance(password, str) else None)
    if documented:
        return data_answer(caller.uid, chat.dialect.render(action), pushes)
    joined = group_entity(chat.world.group(guid), has_joined=True)
    target = {"entities": {"for": {"entityType": "group", "entity": joined}}}
    return data_answer(caller.uid, {**joined, "data": target}, pushes)


def leave(chat: ChatContext, call: Call, guid: str) -> Answer:
    """Leave a group."""
    uid = chat.auth.caller(call).uid
    return data_answer(uid, {"success": True}, chat.world.leave(uid, guid))


def remove_member(chat: ChatContext, call: Call, guid: str, uid: str) -> Answer:
    """Leave by one's own uid; to take others out, the admin key is needed."""
    caller = chat.auth.caller(call, keyed=True)
    if caller.admin and chat.dialect.name == "openchat":
        return data_answer(None, {"success": True}, chat.world.kick(uid, guid))
    if uid != caller.uid:
        raise ChatRefusal("remove_other", uid=uid, guid=guid)
    return data_answer(uid, {"success": True}, chat.world.leave(uid, guid))
