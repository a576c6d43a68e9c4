"""The calls about users: lists, single ones, their history, blocking.

PURE.
"""

from collections.abc import Iterable

from hangbot.sandbox.chat.call import Answer, Call, data_answer
from hangbot.sandbox.chat.context import ChatContext
from hangbot.sandbox.chat.paging import page_size, things_page
from hangbot.sandbox.chat.rows import Row, User, user_entity
from hangbot.sandbox.chat.values import first_given, leading_number, text_of

__all__ = ["blocked_users", "change_blocks", "direct_history", "get_user", "list_users", "named_page"]


def list_users(chat: ChatContext, call: Call) -> Answer:
    """List users by id."""
    caller = chat.auth.caller(call)
    chat.auth.introduce_all()
    return data_answer(caller.uid, named_page(call, map(user_entity, chat.world.users.values()), "uid"))


def get_user(chat: ChatContext, call: Call, uid: str) -> Answer:
    """Give one user."""
    caller = chat.auth.caller(call)
    chat.auth.introduce(uid)
    return data_answer(caller.uid, _with_blocks(chat, caller.uid, chat.world.user(uid)))


def direct_history(chat: ChatContext, call: Call, uid: str) -> Answer:
    """Give a page of what the caller and a user wrote each other; OpenChat takes its time over it."""
    caller = chat.auth.caller(call)
    chat.auth.introduce(uid)
    if not chat.world.rules.invents_users:
        chat.world.user(uid)
    answer = chat.page(call, caller, chat.world.store.direct_rows(caller.uid, uid))
    answer.delay_s = chat.dialect.direct_history_delay_s
    return answer


def named_page(call: Call, rows: Iterable[Row], key: str) -> list[Row]:
    """Cut a page of users or groups, sorted by id; `searchKey` looks into id and name (measured)."""
    wanted = call.query.get("searchKey", "").lower()
    named = (row for row in rows if wanted in row[key].lower() or wanted in row["name"].lower())
    return things_page(sorted(named, key=lambda row: str(row[key])), call.query)


# -- blocking: it is shown, and stops no message (measured)


def _with_blocks(chat: ChatContext, uid: str, user: User) -> Row:
    """Return a user, and which of the two blocked the other."""
    blocked = chat.world.blocked
    return {
        **user_entity(user),
        "blockedByMe": (uid, user.uid) in blocked,
        "hasBlockedMe": (user.uid, uid) in blocked,
    }


def change_blocks(chat: ChatContext, call: Call) -> Answer:
    """Block users (POST) or unblock them (DELETE)."""
    fields = call.fields()
    caller = chat.auth.caller(call)
    asked = first_given(fields, "blockedUids", "uids")
    named = asked if isinstance(asked, list) else [] if asked is None else [asked]
    uids = [text_of(uid, "blockedUids") for uid in named]
    blocks = call.method == "POST"
    for uid in uids:
        chat.auth.introduce(uid)
        (chat.world.block if blocks else chat.world.unblock)(caller.uid, uid)
    message = "User blocked." if blocks else "User unblocked."
    return data_answer(caller.uid, {uid: {"message": message, "success": True} for uid in uids})


def blocked_users(chat: ChatContext, call: Call) -> Answer:
    """List the users that the caller blocked, and those that blocked the caller."""
    uid = chat.auth.caller(call).uid
    blocked, direction = chat.world.blocked, call.query.get("direction", "both")
    mine = {other for by, other in blocked if by == uid and direction != "hasBlockedMe"}
    theirs = {by for by, other in blocked if other == uid and direction != "blockedByMe"}
    found = [_with_blocks(chat, uid, chat.world.ensure_user(other)) for other in sorted(mine | theirs)]
    cut = things_page(found, call.query)
    per_page, size = page_size(call.query)
    pagination = {
        "count": len(cut),
        "current_page": leading_number(call.query.get("page")) or 1,
        "per_page": per_page,
        "total": len(found),
        "total_pages": -(-len(found) // size),
    }
    return data_answer(uid, cut, meta={"cursor": {}, "pagination": pagination})
