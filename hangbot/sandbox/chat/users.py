"""The calls about users: lists, single ones, who blocked whom.

PURE.
"""

from collections.abc import Iterable

from hangbot.sandbox.chat.auth import ChatDoor
from hangbot.sandbox.chat.call import Answer, Call
from hangbot.sandbox.chat.paging import page_size, things_page
from hangbot.sandbox.chat.rows import Json, Row, User, user_entity
from hangbot.sandbox.chat.values import first_given, leading_number, text_of

__all__ = ["UserCalls"]


class UserCalls(ChatDoor):
    """`users`, `users/{uid}` and its history, `blockedusers`."""

    def _users(self, call: Call) -> Answer:
        match (call.method, *call.segments):
            case ("GET", "users"):
                caller = self._caller(call)
                self._introduce_all()
                found = self._found(call, (user_entity(user) for user in self.world.users.values()), "uid")
                return Answer(200, {"data": found}, uid=caller.uid)
            case ("GET", "users", uid):
                caller = self._caller(call)
                self._introduce(uid)
                return Answer(200, {"data": self._seen_by(caller.uid, self.world.user(uid))}, uid=caller.uid)
            case ("GET", "users", uid, "messages"):
                caller = self._caller(call)
                self._introduce(uid)
                if not self.world.rules.invents_users:
                    self.world.user(uid)
                answer = self._page(call, caller, self.world.direct_rows(caller.uid, uid))
                answer.delay_s = self.dialect.direct_history_delay_s
                return answer
            case _:
                return self._no_route(call)

    def _found(self, call: Call, rows: Iterable[Row], key: str) -> list[Row]:
        """A page of users or groups, sorted by id; `searchKey` looks into id and name (measured)."""
        wanted = call.query.get("searchKey", "").lower()
        named = (row for row in rows if wanted in row[key].lower() or wanted in row["name"].lower())
        return things_page(sorted(named, key=lambda row: str(row[key])), call.query)

    # -- blocking ----------------------------------------------------------------------

    def _seen_by(self, uid: str, user: User) -> Row:
        """A user, and who of the two blocked the other; it stops no message (measured)."""
        blocked = self.world.blocked
        return {
            **user_entity(user),
            "blockedByMe": (uid, user.uid) in blocked,
            "hasBlockedMe": (user.uid, uid) in blocked,
        }

    def _blocked_users(self, call: Call) -> Answer:
        match (call.method, *call.segments):
            case ("GET", "blockedusers"):
                return self._blocked_list(call)
            case ("POST" | "DELETE", "blockedusers"):
                fields = self._fields(call)
                caller = self._caller(call)
                asked = first_given(fields, "blockedUids", "uids")
                named = asked if isinstance(asked, list) else [] if asked is None else [asked]
                uids = [text_of(uid, "blockedUids") for uid in named]
                change = self.world.block if call.method == "POST" else self.world.unblock
                said = "User blocked." if call.method == "POST" else "User unblocked."
                outcomes: dict[str, Json] = {}
                for uid in uids:
                    self._introduce(uid)
                    change(caller.uid, uid)
                    outcomes[uid] = {"message": said, "success": True}
                return Answer(200, {"data": outcomes}, uid=caller.uid)
            case _:
                return self._no_route(call)

    def _blocked_list(self, call: Call) -> Answer:
        caller = self._caller(call)
        uid, blocked, direction = caller.uid, self.world.blocked, call.query.get("direction", "both")
        mine = {other for by, other in blocked if by == uid and direction != "hasBlockedMe"}
        theirs = {by for by, other in blocked if other == uid and direction != "blockedByMe"}
        found = [self._seen_by(uid, self.world.ensure_user(other)) for other in sorted(mine | theirs)]
        cut = things_page(found, call.query)
        per_page, size = page_size(call.query)
        meta = {
            "cursor": {},
            "pagination": {
                "count": len(cut),
                "current_page": leading_number(call.query.get("page")) or 1,
                "per_page": per_page,
                "total": len(found),
                "total_pages": -(-len(found) // size),
            },
        }
        return Answer(200, {"data": cut, "meta": meta}, uid=uid)
