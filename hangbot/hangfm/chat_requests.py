"""The chat's requests: with a token that lives, and as a member of the group where only members may."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from hangbot.errors import GroupClosed, NotAMember, Refused, ServiceError, Unavailable, Unreachable
from hangbot.hangfm.chat_token import ChatToken
from hangbot.hangfm.http import HttpClient
from hangbot.hangfm.wire.chat import join_body, read_answer
from hangbot.hangfm.wire.chat_errors import REMEDIES
from hangbot.redact import Redactor

__all__ = ["ChatRequests", "path_part"]

_UNAUTHORISED: Final = 401

Params = Mapping[str, str | int]


def path_part(text: str) -> str:
    """Quote a text for a path."""
    return quote(text, safe="")


class ChatRequests:
    """Makes requests below ``/v3.0``.

    Args:
        http: The chat server's address, without ``/v3.0``.
        token: The chat token.
        headers: Sent with every request.
        joins: Whether a refusal because the bot is no member makes it join (``AUTO_JOIN``).
        slots: How many requests may be in flight: each takes a connection of its own.
        guard: Called with the method and path of each request before it is sent; what it raises keeps it
            from being sent.
    """

    def __init__(
        self,
        http: HttpClient,
        token: ChatToken,
        *,
        headers: Mapping[str, str],
        joins: bool,
        slots: int,
        guard: Callable[[str, str], None],
    ) -> None:
        self.joins = joins
        self._http = http
        self._token = token
        self._headers = headers
        self._slots = asyncio.Semaphore(slots)
        self._guard = guard

    async def call(
        self,
        method: str,
        path: str,
        *,
        what: str,
        body: object = None,
        params: Params | None = None,
        authorised: bool = True,
    ) -> object:
        """Make a request and return its ``data``.

        A dead token is exchanged once and the request made once more. A 401 without the chat's own words
        may be about the token, too; but a request that changes something is not repeated after it.

        Raises:
            ServiceError: As `wire.chat.read_answer` and `http.HttpClient.request` do.
        """
        self._guard(method, path)
        if not authorised:
            return await self._once(method, path, what, body, params, None)
        seen, token = self._token.generation, self._token.value
        if token is None:
            return await self._once(method, path, what, body, params, await self._token.refresh(seen))
        try:
            return await self._once(method, path, what, body, params, token)
        except Refused as exc:
            if not exc.about_token:
                raise
            token = await self._token.refresh(seen)
        except Unavailable as exc:
            if exc.status != _UNAUTHORISED:
                raise
            try:
                token = await self._token.refresh(seen)
            except ServiceError:
                raise exc from None
            if method != "GET":
                raise
        return await self._once(method, path, what, body, params, token)

    async def call_as_member(
        self,
        group: str | None,
        method: str,
        path: str,
        *,
        what: str,
        body: object = None,
        params: Params | None = None,
    ) -> object:
        """Make a request that only members may make: join the group once where the bot is none (any more)."""
        try:
            return await self.call(method, path, what=what, body=body, params=params)
        except NotAMember:
            if group is None or not self.joins:
                raise
        await self.enter(group)
        return await self.call(method, path, what=what, body=body, params=params)

    async def join(self, guid: str) -> None:
        """Join a group; being a member already is success."""
        path = f"/groups/{path_part(guid)}/members"
        await self.call("POST", path, what=f"joining group {guid}", body=join_body(guid))

    async def react(self, message: int, emoji: str) -> None:
        """React to a message; twice the same is success, too (measured on OpenChat)."""
        path = f"/messages/{message}/reactions/{path_part(emoji)}"
        await self.call("POST", path, what=f"the reaction to message {message}")

    async def enter(self, group: str) -> None:
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
        self, method: str, path: str, what: str, body: object, params: Params | None, token: str | None
    ) -> object:
        headers = {**self._headers, "authToken": token} if token else self._headers
        async with self._slots:
            response = await self._http.request(
                method, "/v3.0" + path, what=what, headers=headers, params=params, body=body
            )
        return read_answer(
            response.status,
            response.headers,
            response.body,
            what=what,
            now=self._http.clock.wall(),
            mask=lambda words: Redactor([token] if token else ()).text(words),
        )
