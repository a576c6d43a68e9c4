"""The calls about oneself: settings, `me`, sessions.

PURE.
"""

from hangbot.sandbox.chat.call import Answer, Call, data_answer
from hangbot.sandbox.chat.context import ChatContext
from hangbot.sandbox.chat.rows import Row, user_entity
from hangbot.sandbox.chat.settings import chat_settings

__all__ = ["get_settings", "log_out", "new_jwt", "new_session", "session", "show_me"]


def get_settings(chat: ChatContext, call: Call) -> Answer:
    """Give the settings; they need no token."""
    chat.auth.check_app(call)
    return data_answer(None, _settings(chat, call))


def show_me(chat: ChatContext, call: Call) -> Answer:
    """Give the own user; a PUT is a login."""
    caller = chat.auth.caller(call)
    return data_answer(caller.uid, session(chat, call, caller.uid, caller.token))


def log_out(chat: ChatContext, call: Call) -> Answer:
    """Revoke the token of this call."""
    caller = chat.auth.caller(call)
    chat.people.revoke(caller.token)
    return data_answer(caller.uid, {"success": True})


def new_jwt(chat: ChatContext, call: Call) -> Answer:
    """Give a fresh token for the real-time connection."""
    caller = chat.auth.caller(call)
    return data_answer(caller.uid, {"jwt": chat.auth.socket_token(caller.uid, caller.token)})


def new_session(chat: ChatContext, call: Call) -> Answer:
    """Register a device; any session id that the client gives is kept."""
    body = call.fields()
    caller = chat.auth.caller(call)
    session_id = body.get("sessionId") or body.get("deviceId") or "session"
    return data_answer(caller.uid, {"sessionId": session_id, "uid": caller.uid, "createdAt": chat.world.now})


def session(chat: ChatContext, call: Call, uid: str, token: str) -> Row:
    """Return a user with what a login needs."""
    user = chat.world.user(uid)
    own: Row = {**user_entity(user), "authToken": token}
    if chat.dialect.name == "cometchat":
        del own["metadata"], own["tags"]
        own["createdAt"] = user.created_at
        if call.method == "GET":
            del own["authToken"]
            return own
        own["wsChannel"] = {"identity": f"[{chat.auth.app_id}]{uid}"}
    else:
        own["wsChannel"] = f"user_{uid}"
        own["fat"] = chat.auth.socket_token(uid, token)
    own["jwt"] = chat.auth.socket_token(uid, token)
    own["settings"] = _settings(chat, call)
    return own


def _settings(chat: ChatContext, call: Call) -> Row:
    return chat_settings(call.headers.get("Host", ""), chat.world.now, chat.dialect)
