"""The chat server's REST calls: a call in, an answer and pushes out.

PURE: no sockets and no waiting. `hangbot.sandbox.chat.server` reads requests from the wire,
applies faults around `ChatApi.answer`, and sends what comes back.
"""

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

from hangbot.sandbox.chat.call import Answer, Call
from hangbot.sandbox.chat.groups import GroupCalls
from hangbot.sandbox.chat.me import SessionCalls
from hangbot.sandbox.chat.messages import MessageCalls
from hangbot.sandbox.chat.rules import ChatRefusal

__all__ = ["ChatApi"]


class ChatApi(SessionCalls, GroupCalls, MessageCalls):
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
        area = self._area(call.segments[0]) if call.segments else None
        try:
            answer = area(call) if area is not None else self._no_route(call)
        except ChatRefusal as refused:
            return self.refusal(refused)
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
            # A value of a type that nobody foresaw: OpenChat crashes there, too.
            return self.refusal(ChatRefusal("bad_value"))
        return answer

    def _area(self, name: str) -> Callable[[Call], Answer] | None:
        match name:
            case "messages":
                return self._messages
            case "groups":
                return self._groups
            case "user" | "user_sessions" | "conversations":
                return self._own
            case "users":
                return self._users
            case "me":
                return self._me
            case "settings":
                return self._settings
            case _:
                return None

    def react_by_extension(self, call: Call) -> Answer:
        """The web client's older way to react: `POST /v1/react {msgId, emoji}` at the extension's host.

        The answer's shape is unknown; this one says what was asked for.
        """
        body = call.body if isinstance(call.body, dict) else {}
        number, emoji = str(body.get("msgId", "")), str(body.get("emoji", ""))
        asked = replace(call, segments=("messages", number, "reactions", emoji))
        answer = self.answer(asked)
        if answer.status == HTTPStatus.OK:
            answer.body = {"data": {"success": True}}
        return answer
