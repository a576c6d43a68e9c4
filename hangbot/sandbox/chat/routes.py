"""The chat server's REST calls: a table of routes, and the one place that answers a call.

PURE: no sockets and no waiting. `hangbot.sandbox.chat.server` reads requests from the wire,
applies faults around `ChatApi.answer`, and sends what comes back.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Concatenate, Final

from hangbot.sandbox.chat import admin, groups, inbox, me, messages, users
from hangbot.sandbox.chat.call import Answer, Call, tidy_path
from hangbot.sandbox.chat.context import ChatContext
from hangbot.sandbox.chat.dialects import DialectName
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.paths import match_path

__all__ = ["ROUTES", "ChatApi", "Route"]

Handler = Callable[Concatenate[ChatContext, Call, ...], Answer]
"""Answers a call; the segments that its path leaves open follow the call."""

_NO_CALLS: Final = {"HEAD": 404, "OPTIONS": 204, "TRACE": 501}
"""What OpenChat answers to these, whatever the path (measured)."""
_WRITES: Final = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the API.

    Attributes:
        method: The method; `*` is any.
        path: Its path below the version, a pattern of ``match_path``.
        handler: Answers it.
        keyed: Whether it belongs to the admin API alone, and needs the key.
        only: The one dialect that has it, or `None`.
    """

    method: str
    path: str
    handler: Handler
    keyed: bool = False
    only: DialectName | None = None


ROUTES: Final = (
    Route("GET", "settings", me.get_settings),
    Route("GET", "me", me.show_me),
    Route("PUT", "me", me.show_me),
    Route("DELETE", "me", me.log_out),
    Route("POST", "me/jwt", me.new_jwt),
    Route("POST", "user_sessions", me.new_session),
    Route("POST", "messages", messages.send),
    Route("GET", "messages", inbox.search_messages),
    Route("GET", "messages/{}", messages.get_message),
    Route("PUT", "messages/{}", messages.edit),
    Route("DELETE", "messages/{}", messages.delete),
    Route("POST", "messages/{}/thread", messages.send),
    Route("GET", "messages/{}/thread", messages.list_thread),
    Route("GET", "messages/{}/reactions", messages.list_reactions),
    Route("GET", "messages/{}/reactions/{}", messages.list_reactions),
    Route("POST", "messages/{}/reactions/{}", messages.change_reaction),
    Route("DELETE", "messages/{}/reactions/{}", messages.change_reaction),
    Route("POST", "messages/{}/interactions", messages.interact),
    Route("PATCH", "messages/{}/interacted", messages.interact, only="cometchat"),
    Route("GET", "user/messages/{}", messages.get_by_muid),
    Route("*", "v1/*", messages.react_by_extension),
    Route("*", "extensions/{}/*", messages.react_by_extension),
    Route("GET", "groups", groups.list_groups),
    Route("GET", "groups/{}", groups.get_group),
    Route("GET", "groups/{}/messages", groups.group_history),
    Route("GET", "groups/{}/members", groups.list_members),
    Route("POST", "groups/{}/members", groups.join),
    Route("DELETE", "groups/{}/members", groups.leave),
    Route("DELETE", "groups/{}/members/{}", groups.remove_member),
    Route("GET", "users", users.list_users),
    Route("GET", "users/{}", users.get_user),
    Route("GET", "users/{}/messages", users.direct_history),
    Route("GET", "blockedusers", users.blocked_users),
    Route("POST", "blockedusers", users.change_blocks),
    Route("DELETE", "blockedusers", users.change_blocks),
    Route("GET", "conversations", inbox.list_conversations),
    *(
        Route(method, f"{kind}/{{}}/conversation{below}", handler)
        for kind in ("users", "groups")
        for method, below, handler in (
            ("GET", "", inbox.get_conversation),
            ("DELETE", "", inbox.hide_conversation),
            ("POST", "/read", inbox.mark_as_read),
            ("POST", "/delivered", inbox.mark_as_delivered),
            ("DELETE", "/read", inbox.mark_as_unread),
        )
    ),
    # The admin API: all of OpenChat's, of CometChat's the tokens.
    Route("POST", "users/{}/auth_tokens", admin.issue_token, keyed=True),
    Route("POST", "users", admin.add_user, keyed=True, only="openchat"),
    Route("PUT", "users/{}", admin.not_recorded, keyed=True, only="openchat"),
    Route("DELETE", "users/{}", admin.not_recorded, keyed=True, only="openchat"),
    Route("POST", "groups", admin.make_group, keyed=True, only="openchat"),
    Route("PUT", "groups/{}", admin.not_recorded, keyed=True, only="openchat"),
    Route("DELETE", "groups/{}", admin.not_recorded, keyed=True, only="openchat"),
    Route("PUT", "groups/{}/members/{}", admin.set_scope, keyed=True, only="openchat"),
    Route("GET", "groups/{}/bannedusers", admin.not_recorded, keyed=True, only="openchat"),
    Route("POST", "groups/{}/bannedusers/{}", admin.ban, keyed=True, only="openchat"),
    Route("DELETE", "groups/{}/bannedusers/{}", admin.unban, keyed=True, only="openchat"),
    Route("DELETE", "conversations/{}", admin.not_recorded, keyed=True, only="openchat"),
)


class ChatApi:
    """All REST calls of one chat server.

    Args:
        context: What the handlers work on.
        routes: The calls that there are.
    """

    def __init__(self, context: ChatContext, routes: Iterable[Route] = ROUTES) -> None:
        self._context = context
        self._dialect = context.dialect
        self._routes: dict[str, list[Route]] = {}
        """By the first segment of their paths."""
        for route in routes:
            if route.only in (None, self._dialect.name):
                self._routes.setdefault(route.path.partition("/")[0], []).append(route)

    def answer(self, call: Call) -> Answer:
        """Do what a call asks for. Never raises: whatever the body holds is answered."""
        if self._dialect.name == "cometchat" and call.segments[:1] in (("groups",), ("users",)):
            kind, *ids = call.segments  # documented: it lower-cases uids and guids
            call = replace(call, segments=(kind, *(part.lower() for part in ids[:1]), *ids[1:]))
        try:
            return self._answer_outside(call) or self._answer_route(call)
        except ChatRefusal as refused:
            return self._refuse(refused)
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
            # A value of an unforeseen type: OpenChat crashes there, too.
            return self._refuse(ChatRefusal("bad_value"))

    def _refuse(self, refused: ChatRefusal) -> Answer:
        status, body = self._dialect.refusal(refused)
        return Answer(status, body, unknown_route=refused.reason == "route_unknown")

    def _answer_outside(self, call: Call) -> Answer | None:
        """Answer what is no call of the API."""
        if self._dialect.name == "openchat" and call.method in _NO_CALLS:
            return Answer(_NO_CALLS[call.method])
        match (call.method, tidy_path(call.path)):
            case ("GET", "/" | "/ws" | "/socket"):  # without an upgrade
                return Answer(426)
            case ("GET", "/health") if self._dialect.health:
                return Answer(200, "ok")
            case ("POST", "/v1/ping") if self._dialect.name == "cometchat":  # the SDK's analytics
                return Answer(200, {"data": {"success": True}})
            case _:
                return None

    def _answer_route(self, call: Call) -> Answer:
        if call.method in _WRITES:
            call.fields()  # a body that cannot be read is refused before the route is looked at
        for route in self._routes.get(call.segments[0], ()) if call.segments else ():
            ids = match_path(route.path, call.segments) if route.method in ("*", call.method) else None
            if ids is not None:
                if route.keyed:
                    self._context.auth.check_key(call)
                    call.fields()
                return route.handler(self._context, call, *ids)
        raise ChatRefusal("route_unknown", method=call.method, path=call.path)
