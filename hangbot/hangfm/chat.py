"""The chat client: sends, looks up and reads over HTTP, as a member of the room's group."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from hangbot.bot.events import ChatMessage
from hangbot.bot.ports import Conversation
from hangbot.delivery.message import Outgoing
from hangbot.errors import AnswerLost, GroupClosed, NotFound, Refused, ServiceError, Unavailable
from hangbot.hangfm.chat_requests import ChatRequests, path_part
from hangbot.hangfm.chat_token import ChatToken
from hangbot.hangfm.http import HttpClient
from hangbot.hangfm.wire import chat as wire
from hangbot.hangfm.wire.chat_errors import is_message_gone
from hangbot.ids import SYSTEM_RNG, Rng, new_uuid

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
        self.address = http.base
        """Where the chat server is."""
        self.token = token
        self.server_time = http.server_time
        self.own_uids = {uid} - {None}
        """Every uid that is said to be the bot's: what is configured, and whose the token is."""
        headers = {"resource": self.resource} | ({"appId": app_id} if app_id else {})
        self._requests = ChatRequests(http, token, headers=headers, joins=joins, slots=slots, guard=guard)
        self._known_users: set[str] = set()
        self._known_groups = {group}

    async def settings(self) -> Mapping[str, Any]:
        """Return the server's settings: whether it is a chat server at all; needs no token."""
        return await self._mapping("GET", "/settings", what="its settings", authorised=False)

    async def me(self) -> Mapping[str, Any]:
        """Return the bot's own user (``uid, name…``) and remember its uid and name."""
        user = await self._mapping("GET", "/me", what="who the token belongs to")
        if isinstance(user.get("uid"), str):
            self.own_uids.add(user["uid"])
            self.uid = self.uid or user["uid"]
        if self.name is None and isinstance(user.get("name"), str):
            self.name = user["name"]
        return user

    async def own_uid(self) -> str:
        """Return the uid of the bot whose token it is, where the token itself does not name it.

        Raises:
            Unavailable: The chat does not say who the token belongs to.
        """
        if self.uid is None:
            await self.me()
        if self.uid is None:
            what = "the chat did not say who the token belongs to (/me without a uid)"
            raise Unavailable(what, service="chat")
        return self.uid

    async def group(self, guid: str | None = None) -> Mapping[str, Any]:
        """Return a group (the room's): ``guid, name, type…``; OpenChat's ``hasJoined`` is always false."""
        guid = guid or self.group_id
        return await self._mapping("GET", f"/groups/{path_part(guid)}", what=f"group {guid}")

    async def probe(self) -> None:
        """Check that the chat works for this bot: it has to say whose the token is.

        Raises:
            ServiceError: It does not work: any other answer counts as that, and so does none.
        """
        if not (await self.me()).get("uid"):
            raise Unavailable("chat answered who the token belongs to without a uid", service="chat")

    async def join(self, guid: str | None = None) -> None:
        """Join a group (the room's); being a member already is success."""
        await self._requests.join(guid or self.group_id)

    async def react(self, message: int, emoji: str) -> None:
        """React to a message; twice the same is success, too (measured). Raises `ServiceError`."""
        await self._requests.react(message, emoji)

    async def send(self, message: Outgoing) -> ChatMessage | None:
        """Send once; when this returns, the server has stored the message.

        A bot that is no member joins once and sends again: the refusal says that nothing was stored.

        Raises:
            NotFound: A direct message's receiver is unknown. It is looked up first, since
                OpenChat creates a user for a mistyped uid and loses the message.
            GroupClosed: The group does not let the bot in.
            AnswerLost: The answer names another message.
            Unavailable: The answer shows no message, and so not whether it was stored.
            ServiceError: As `call` raises it.
        """
        message = await self._resolve_receiver(message)
        body = wire.message_body(message, sender=self.uid, name=self.name)
        what = f"message {message.id} to {message.to}"
        group = None if message.direct else message.to
        data = await self._requests.call_as_member(group, "POST", "/messages", what=what, body=body)
        if not data or not isinstance(data, dict):
            raise Unavailable(f"chat answered {what} without a message", service="chat")
        sent = wire.read_message(data)
        if sent is None and data.get("muid") != message.id:
            raise Unavailable(f"chat answered {what} with what is no message", service="chat")
        if sent and sent.muid not in {None, message.id}:  # a doubled answer, shifted to this request
            raise AnswerLost(f"the answer to {what} is about another message", service="chat")
        return sent

    async def _resolve_receiver(self, message: Outgoing) -> Outgoing:
        """Find out whether a direct message's receiver is a user, or a group whose GUID was given instead."""
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

        The look-up by ``muid`` answers where the server has it (measured on OpenChat), but only for
        members of the conversation at that moment: a bot that was removed from the group joins it and
        asks again. A 404 in other words than "no such message", or another message, is no answer:
        then the newest history is searched.

        Raises:
            ServiceError: There is no answer: `Refused` where asking again will not help.
        """
        found = await self._find_as_member(message)
        return await self._in_history(message) if found is None else found

    async def _find_as_member(self, message: Outgoing) -> bool | None:
        """Look a message up, after joining its group where only members may; ``None``: there is no answer."""
        try:
            return await self._look_up(message)
        except Refused as refused:
            if refused.about_token:
                raise
            message = await self._resolve_receiver(message)
            if message.direct or not self._requests.joins:
                return None
            try:
                await self._requests.enter(message.to)
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
                "GET", f"/user/messages/{path_part(message.id)}", what=f"whether {message.id} arrived"
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
        message = await self._resolve_receiver(message)
        before: int | None = None
        for _ in range(_PAGES_SEARCHED):
            rows, size = await self._page(message, before=before, most=_LARGEST_PAGE)
            if any(row.muid == message.id for row in rows):
                return True
            # Counted before reading: a row that cannot be read does not make this the last page.
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
        there = Conversation(to.to, to.direct) if to else Conversation(self.group_id)
        rows = await self.rows(there, after=after, before=before, most=most)
        read = [message for row in rows if (message := wire.read_message(row))]
        return sorted(read, key=lambda message: message.id), len(rows)

    async def rows(
        self,
        conversation: Conversation,
        *,
        after: int | None = None,
        before: int | None = None,
        most: int = 50,
    ) -> Sequence[object]:
        """Return the rows of a page as they came; the arguments are those of `history`."""
        name, group = conversation.name, None if conversation.direct else conversation.name
        params: dict[str, str | int] = {
            "per_page": most,
            "affix": "append" if after is not None else "prepend",
        }
        if (cursor := before if after is None else after) is not None:
            params["id"] = cursor
        what = f"the messages of {name}"
        path = f"/{'groups' if group else 'users'}/{path_part(name)}/messages"
        rows = await self._requests.call_as_member(group, "GET", path, what=what, params=params)
        if not isinstance(rows, list):
            raise Unavailable(f"chat answered {what} without a list", service="chat")
        return rows

    async def user(self, uid: str) -> Mapping[str, Any]:
        """Return a user; raises `NotFound` for an unknown one."""
        user = await self._mapping("GET", f"/users/{path_part(uid)}", what=f"user {uid}")
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
    ) -> object:
        """Make any request below ``/v3.0`` and return its ``data``; see `ChatRequests.call`."""
        return await self._requests.call(method, path, what=what, body=body, params=params)

    async def _mapping(self, method: str, path: str, *, what: str, authorised: bool = True) -> dict[str, Any]:
        data = await self._requests.call(method, path, what=what, authorised=authorised)
        if not isinstance(data, dict):
            raise Unavailable(f"chat answered {what} without an object", service="chat")
        return data
