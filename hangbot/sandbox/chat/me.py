"""The calls about oneself: settings, `/me`, sessions, a message by one's own id.

PURE.
"""

from hangbot.sandbox.chat.auth import ChatDoor
from hangbot.sandbox.chat.call import Answer, Call
from hangbot.sandbox.chat.rows import Row, user_entity
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.settings import chat_settings

__all__ = ["SessionCalls"]


class SessionCalls(ChatDoor):
    """`settings`, `me`, `user_sessions`, `user/messages`."""

    # -- session -----------------------------------------------------------------------

    def _settings(self, call: Call) -> Answer:
        if call.method != "GET" or len(call.segments) != 1:
            return self._no_route(call)
        self._check_app(call)
        return Answer(
            200, {"data": chat_settings(call.headers.get("Host", ""), self.world.now, self.dialect)}
        )

    def _me(self, call: Call) -> Answer:
        if (call.method, *call.segments[1:]) == ("POST", "jwt"):
            caller = self._caller(call)
            return Answer(200, {"data": {"jwt": self._new_jwt(caller.uid, caller.token)}}, uid=caller.uid)
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
            own["fat"] = self._new_jwt(uid, token)
        own["jwt"] = self._new_jwt(uid, token)
        own["settings"] = chat_settings(call.headers.get("Host", ""), self.world.now, self.dialect)
        return own

    def _new_jwt(self, uid: str, token: str) -> str:
        return self._jwt.sign(uid, self.world.now, self.dialect.jwt_lifetime_s, of=token)

    def _own(self, call: Call) -> Answer:
        match (call.method, *call.segments):
            case ("GET", "user", "messages", muid):
                caller = self._caller(call)
                row = self.world.by_muid(muid)
                if row is None:
                    raise ChatRefusal("message_unknown", id=muid)
                self.world.require_participant(row, caller.uid)
                return self._one(caller, row)
            case ("POST", "user_sessions"):
                body = self._fields(call)
                caller = self._caller(call)
                data = {
                    "sessionId": body.get("sessionId") or body.get("deviceId") or "session",
                    "uid": caller.uid,
                    "createdAt": self.world.now,
                }
                return Answer(200, {"data": data}, uid=caller.uid)
            case _:
                return self._no_route(call)
