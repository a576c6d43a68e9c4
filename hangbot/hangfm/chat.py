"""The chat client: sends, asks and reads over HTTP, as a member of the room's group."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from hangbot.bot.events import ChatMessage
from hangbot.delivery.message import Outgoing
from hangbot.errors import (
    AnswerLost,
    GroupClosed,
    NotAMember,
    NotFound,
    Refused,
    ServiceError,
    Unavailable,
    Unreachable,
)
from hangbot.hangfm.chat_token import ChatToken
from hangbot.hangfm.http import HttpClient
from hangbot.hangfm.wire import chat as wire
from hangbot.hangfm.wire.chat_errors import REMEDIES, is_message_gone
from hangbot.ids import SYSTEM_RNG, Rng, new_uuid
from hangbot.redact import Redactor

__all__ = ["ChatClient"]

_LARGEST_PAGE: Final = 100
_PAGES_SEARCHED: Final = 10
"""A thousand messages: what OpenChat keeps of a group."""


class ChatClient:
    """Speaks to OpenChat or CometChat over a borrowed HTTP client.

    Args:
        http: The chat server's address, without ``/v3.0``.
        token: The chat token.
        group: GUID of the room's group.
        app_id: Header ``appId``; CometChat needs it, OpenChat does not look at it.
        uid: The bot's own uid, where known.
        name: The name under which the bot speaks, where known.
        joins: Whether a refusal because the bot is no member makes it join (``AUTO_JOIN``).
        slots: How many requests may be in flight: each takes a connection of its own.
        guard: Called with the method and path of each request before it is sent; what it raises keeps it
            from being sent.
        rng: Draws the client's id.
    """

    def __init__(  # noqa: PLR0913  one argument each, most with a default
        self,
        http: HttpClient,
        *,
        token: ChatToken,
        group: str,
        app_id: str | None = None,
        uid: str | None = None,
        name: str | None = None,
        joins: bool = True,
        slots: int = 4,
        guard: Callable[[str, str], None] = lambda _method, _path: None,
        rng: Rng = SYSTEM_RNG,
    ) -> None:
        self.group_id = group
        self.uid = uid
        self.name = name
        self.resource = f"hangbot-{new_uuid(rng)}"
        """Sent with each request: the server stamps it on what it fans out, so the bot knows its own echo."""
        self._http = http
        self._token = token
        self._joins = joins
        self._guard = guard
        self._app_id = app_id
        self._slots = asyncio.Semaphore(slots)
        self._known_users: set[str] = set()
        self._known_groups = {group}

    @property
    def address(self) -> str:
        """Where the chat server is."""
        return self._http.base

    async def settings(self) -> Mapping[str, Any]:
        """Return the server's settings: whether it is a chat server at all; needs no token."""
        return await self._mapping("GET", "/settings", what="its settings", authorised=False)

    async def me(self) -> Mapping[str, Any]:
        """Return the bot's own user (``uid, name…``) and remember its uid and name."""
        user = await self._mapping("GET", "/me", what="who the token belongs to")
        if self.uid is None and isinstance(user.get("uid"), str):
            self.uid = user["uid"]
        if self.name is None and isinstance(user.get("name"), str):
            self.name = user["name"]
        return user

    async def group(self, guid: str | None = None) -> Mapping[str, Any]:
        """Return a group (the room's): ``guid, name, type…``; OpenChat's ``hasJoined`` is always false."""
        guid = guid or self.group_id
        return await self._mapping("GET", f"/groups/{_part(guid)}", what=f"group {guid}")

    async def probe(self) -> None:
        """Find out whether the chat works for this bot: whether it says whose the token is.

        Raises:
            ServiceError: It does not: any other answer counts as that, and so does none.
        """
        if not (await self.me()).get("uid"):
            raise Unavailable("chat answered who the token belongs to without a uid", service="chat")

    async def join(self, guid: str | None = None) -> None:
        """Join a group (the room's); being a member already is success."""
        guid = guid or self.group_id
        path = f"/groups/{_part(guid)}/members"
        await self.call("POST", path, what=f"joining group {guid}", body=wire.join_body(guid))

    async def send(self, message: Outgoing) -> ChatMessage | None:
        """Send once; when this returns, the server has stored the message.

        A bot that is no member joins once and sends again: the refusal says that nothing was stored.

        Raises:
            NotFound: A direct message's receiver is unknown. It is looked up first, since
                OpenChat makes a user of a mistyped uid and loses the message.
            GroupClosed: The group does not let the bot in.
            AnswerLost: The answer names another message.
            Unavailable: The answer shows no message: whether it was stored, it does not say.
            ServiceError: As `call` raises it.
        """
        message = await self._resolved(message)
        body = wire.message_body(message, sender=self.uid, name=self.name)
        what = f"message {message.id} to {message.to}"
        group = None if message.direct else message.to
        data = await self._as_member("POST", "/messages", group=group, what=what, body=body)
        if not data or not isinstance(data, dict):
            raise Unavailable(f"chat answered {what} without a message", service="chat")
        sent = wire.read_message(data)
        if sent and sent.muid not in {None, message.id}:  # an answer that came twice, and now for this one
            raise AnswerLost(f"the answer to {what} is about another message", service="chat")
        return sent

    async def _resolved(self, message: Outgoing) -> Outgoing:
        """Tell what a direct message's receiver is: a user, or a group whose GUID was given instead."""
        if not message.direct or message.to in self._known_users:
            return message
        if message.to not in self._known_groups:
            try:
                await self.user(message.to)
            except NotFound as unknown:
                try:
                    await self.group(message.to)
                except NotFound:
                    raise unknown from None
                self._known_groups.add(message.to)
            else:
                return message
        return replace(message, direct=False)

    async def find(self, message: Outgoing) -> bool:
        """Return whether a message with this id is stored.

        The look-up by ``muid`` answers where the server has it (measured on OpenChat), but only
        those who are in the conversation at that moment: a bot that was put out of the group
        joins it and asks again. A 404 in other words than "no such message", or another message,
        is no answer: then the newest history is searched.

        Raises:
            ServiceError: It cannot be told: `Refused` where asking again will not help.
        """
        found = await self._find_as_member(message)
        return await self._in_history(message) if found is None else found

    async def _find_as_member(self, message: Outgoing) -> bool | None:
        """Look a message up, and join its group first where only members may; ``None``: it cannot be told."""
        try:
            return await self._look_up(message)
        except Refused as refused:
            if refused.about_token:
                raise
            message = await self._resolved(message)
            if message.direct or not self._joins:
                return None
            try:
                await self._enter(message.to)
            except GroupClosed:
                raise refused from None
        try:
            return await self._look_up(message)
        except Refused as refused:
            if refused.about_token:
                raise
            return None

    async def _look_up(self, message: Outgoing) -> bool | None:
        """Look a message up; ``None``: the look-up was not understood. Raises `ServiceError`."""
        try:
            found = await self.call(
                "GET", f"/user/messages/{_part(message.id)}", what=f"whether {message.id} arrived"
            )
        except ServiceError as exc:
            if is_message_gone(exc):
                return False
            if exc.status == 404:  # noqa: PLR2004  Not Found
                return None
            raise
        read = wire.read_message(found)
        return True if read and read.muid == message.id else None

    async def _in_history(self, message: Outgoing) -> bool:
        message = await self._resolved(message)
        before: int | None = None
        for _ in range(_PAGES_SEARCHED):
            rows, size = await self._page(message, before=before, most=_LARGEST_PAGE)
            if any(row.muid == message.id for row in rows):
                return True
            # Counted as they came: rows that cannot be read do not make it the last page.
            if size < _LARGEST_PAGE:
                return False
            if not rows or rows[0].id == before:
                break
            before = rows[0].id
        raise Refused(
            f"{message.id} is not among the newest messages, and the chat cannot look it up", service="chat"
        )

    async def history(
        self,
        *,
        to: Outgoing | None = None,
        after: int | None = None,
        before: int | None = None,
        most: int = 50,
    ) -> list[ChatMessage]:
        """Return messages of the group (or of a direct conversation), oldest first.

        Args:
            to: A message whose conversation is meant, instead of the room's group.
            after: Only messages with a greater id, from the oldest of them on.
            before: Only messages with a smaller id, the newest of them.
            most: Page size, 1 to 100.

        Without a cursor: the newest. Rows that are no messages are left out; they never stop a poll.
        """
        return (await self._page(to, after=after, before=before, most=most))[0]

    async def _page(
        self, to: Outgoing | None, *, after: int | None = None, before: int | None = None, most: int
    ) -> tuple[list[ChatMessage], int]:
        """Return a page as `history` does, and how many rows it had, readable or not."""
        where = to.to if to else self.group_id
        group = None if to and to.direct else where
        conversation = f"/{'groups' if group else 'users'}/{_part(where)}"
        params: dict[str, str | int] = {
            "per_page": most,
            "affix": "append" if after is not None else "prepend",
        }
        cursor = after if after is not None else before
        if cursor is not None:
            params["id"] = cursor
        what = f"the messages of {where}"
        path = f"{conversation}/messages"
        rows = await self._as_member("GET", path, group=group, what=what, params=params)
        if not isinstance(rows, list):
            raise Unavailable(f"chat answered {what} without a list", service="chat")
        read = [message for row in rows if (message := wire.read_message(row))]
        return sorted(read, key=lambda message: message.id), len(rows)

    async def user(self, uid: str) -> Mapping[str, Any]:
        """Return a user; raises `NotFound` for an unknown one."""
        user = await self._mapping("GET", f"/users/{_part(uid)}", what=f"user {uid}")
        self._known_users.add(uid)
        return user

    async def call(
        self,
        method: str,
        path: str,
        *,
        what: str,
        body: object = None,
        params: Mapping[str, str | int] | None = None,
        authorised: bool = True,
    ) -> object:
        """Make a request below ``/v3.0`` and return its ``data``.

        A dead token is exchanged once and the request made once more. A 401 in nobody's words
        may be about the token, too; but what changes something is not repeated after it.

        Raises:
            ServiceError: As `wire.chat.read_answer` and `http.HttpClient.request` do.
        """
        self._guard(method, path)
        if not authorised:
            return await self._once(method, path, what, body, params, None)
        known, token = self._token.exchanges, self._token.value
        if token is None:
            return await self._once(method, path, what, body, params, await self._token.renewed(known))
        try:
            return await self._once(method, path, what, body, params, token)
        except Refused as exc:
            if not exc.about_token:
                raise
            token = await self._token.renewed(known)
        except Unavailable as exc:
            if exc.status != 401:  # noqa: PLR2004  Unauthorized
                raise
            try:
                token = await self._token.renewed(known)
            except ServiceError:
                raise exc from None
            if method != "GET":
                raise
        return await self._once(method, path, what, body, params, token)

    async def _as_member(
        self,
        method: str,
        path: str,
        *,
        group: str | None,
        what: str,
        body: object = None,
        params: Mapping[str, str | int] | None = None,
    ) -> object:
        """Make a request that only members may make: join once where the bot is none (any more)."""
        try:
            return await self.call(method, path, what=what, body=body, params=params)
        except NotAMember:
            if group is None or not self._joins:
                raise
            await self._enter(group)
            return await self.call(method, path, what=what, body=body, params=params)

    async def _enter(self, group: str) -> None:
        """Join a group for the sake of another request, which is not made where that fails.

        Raises:
            GroupClosed: The group refuses the bot, in the chat's own words.
            ServiceError: Another reason, of which none means that the other request was made.
        """
        try:
            await self.join(group)
        except Refused as exc:
            if exc.about_token:
                raise
            raise GroupClosed(
                f"not in group {group}, which does not let the bot in: {exc}",
                service="chat",
                status=exc.status,
                code=exc.code,
                remedy=REMEDIES.get(exc.code or ""),
            ) from exc
        except ServiceError as exc:
            if not exc.ambiguous:
                raise
            raise Unreachable(
                f"not in group {group}: {exc}",
                service="chat",
                status=exc.status,
                retry_after=exc.retry_after,
                remedy=exc.remedy,
            ) from exc

    async def _once(
        self,
        method: str,
        path: str,
        what: str,
        body: object,
        params: Mapping[str, str | int] | None,
        token: str | None,
    ) -> object:
        headers = {"resource": self.resource}
        if token:
            headers["authToken"] = token
        if self._app_id:
            headers["appId"] = self._app_id
        async with self._slots:
            answer = await self._http.request(
                method, "/v3.0" + path, what=what, headers=headers, params=params, body=body
            )
        return wire.read_answer(
            answer.status,
            answer.headers,
            answer.body,
            what=what,
            now=self._http.clock.wall(),
            mask=lambda words: Redactor([token] if token else ()).text(words),
        )

    async def _mapping(self, method: str, path: str, *, what: str, authorised: bool = True) -> dict[str, Any]:
        data = await self.call(method, path, what=what, authorised=authorised)
        if not isinstance(data, dict):
            raise Unavailable(f"chat answered {what} without an object", service="chat")
        return data


def _part(text: str) -> str:
    return quote(text, safe="")
