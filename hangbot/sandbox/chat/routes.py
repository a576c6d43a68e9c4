"""The chat server's REST calls: a call in, an answer and pushes out.

PURE: no sockets and no waiting. `hangbot.sandbox.chat.server` reads requests from the wire,
applies faults around `ChatApi.answer`, and sends what comes back.
"""

from dataclasses import replace
from typing import Final

from hangbot.sandbox.chat.admin import needs_key
from hangbot.sandbox.chat.call import Answer, Call, tidy_path
from hangbot.sandbox.chat.groups import GroupCalls
from hangbot.sandbox.chat.messages import MessageCalls
from hangbot.sandbox.chat.rules import ChatRefusal

__all__ = ["ChatApi"]

_NO_CALLS: Final = {"HEAD": 404, "OPTIONS": 204, "TRACE": 501}
"""What OpenChat answers to these, whatever the path (measured)."""
_WRITES: Final = ("POST", "PUT", "PATCH", "DELETE")


class ChatApi(GroupCalls, MessageCalls):
    """All REST calls of one chat server.

    Args:
        world: What the server knows.
        dialect: How it speaks.
        people: Who is behind a token.
        app_id: The app id that `cometchat` wants in the header `appId`.
        api_key: The admin key; any other value in the header `apikey` is refused.
        jwt: Signs the token for the real-time connection.
        online: Whether a user has an open socket.
    """

    def answer(self, call: Call) -> Answer:
        """Do what a call asks for. Never raises: whatever the body holds is answered."""
        if self.dialect.name == "cometchat" and call.segments[:1] in (("groups",), ("users",)):
            kind, *ids = call.segments  # documented: it lower-cases uids and guids
            call = replace(call, segments=(kind, *(part.lower() for part in ids[:1]), *ids[1:]))
        try:
            answer = self._beside(call) or self._answered(call)
        except ChatRefusal as refused:
            return self.refusal(refused)
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
            # A value of a type that nobody foresaw: OpenChat crashes there, too.
            return self.refusal(ChatRefusal("bad_value"))
        return answer

    def _beside(self, call: Call) -> Answer | None:
        """Answer what is no call of the API."""
        if self.dialect.name == "openchat" and call.method in _NO_CALLS:
            return Answer(_NO_CALLS[call.method])
        match (call.method, tidy_path(call.path)):
            case ("GET", "/" | "/ws" | "/socket"):  # without an upgrade
                return Answer(426)
            case ("GET", "/health") if self.dialect.health:
                return Answer(200, "ok")
            case ("POST", "/v1/ping") if self.dialect.name == "cometchat":  # the SDK's analytics
                return Answer(200, {"data": {"success": True}})
            case _:
                return None

    def _answered(self, call: Call) -> Answer:
        if call.method in _WRITES:
            self._fields(call)  # what cannot be read is refused before anybody asks what it is for
        if self._has_admin_api(call) and needs_key(call.method, call.segments):
            return self._with_key(call)
        if call.segments[2:3] == ("conversation",) and call.segments[0] in ("users", "groups"):
            return self._conversation(call)
        if _is_extension(call.segments):
            return self._extension(call)
        areas = {
            "messages": self._messages,
            "groups": self._groups,
            "users": self._users,
            "blockedusers": self._blocked_users,
            "conversations": self._conversations,
            "user": self._own,
            "user_sessions": self._own,
            "me": self._me,
            "settings": self._settings,
        }
        return areas.get(call.segments[0] if call.segments else "", self._no_route)(call)

    def _has_admin_api(self, call: Call) -> bool:
        """OpenChat's whole admin API is here; of CometChat's the tokens."""
        return self.dialect.name == "openchat" or call.segments[2:] == ("auth_tokens",)


def _is_extension(segments: tuple[str, ...]) -> bool:
    """Whether a path belongs to the extension: all below `/v1` and `/v3.0/extensions/` (measured)."""
    return segments[:1] == ("v1",) or (segments[:1] == ("extensions",) and len(segments) > 1)
