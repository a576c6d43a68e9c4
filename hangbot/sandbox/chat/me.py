"""The calls about oneself and other users: settings, `/me`, users, conversations.

PURE.
"""

from hangbot.sandbox.chat.call import Answer, Call
from hangbot.sandbox.chat.changes import unread_counts
from hangbot.sandbox.chat.door import Caller, ChatDoor
from hangbot.sandbox.chat.rows import Row, group_entity, user_entity
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.settings import chat_settings

__all__ = ["SessionCalls"]


class SessionCalls(ChatDoor):
    """`settings`, `me`, `user_sessions`, `user/messages`, `conversations`, `users/{uid}`."""

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

    def _conversations(self, caller: Caller) -> list[Row]:
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
                self._introduce(uid)
                if not self.world.rules.invents_users:
                    self.world.user(uid)
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

    def _issue_token(self, call: Call, uid: str) -> Answer:
        """Admin API: a token for a user; the sandbox gives the one that he has."""
        self._check_app(call)
        if call.headers.get("apikey") != self._api_key:
            raise ChatRefusal("bad_apikey" if "apikey" in call.headers else "no_apikey")
        self._introduce(uid)
        self.world.user(uid)
        person = self._people.find(uid)
        token = person.chat_token if person is not None else ""
        if self.dialect.name == "cometchat":
            return Answer(200, {"data": {"uid": uid, "authToken": token, "createdAt": self.world.now}})
        return Answer(200, {"data": self.session(uid, token, call)}, uid=uid)
