"""The chat server: REST and real-time WebSocket.

One handler reads a request and hands it to the pure parts: to `ChatApi`, or to `RealtimeConnections` for
an upgrade.
"""

from functools import partial
from http import HTTPStatus
from typing import Final

from hangbot.sandbox.chat.auth import Authenticator
from hangbot.sandbox.chat.call import Call, fault_point, split_path, tidy_path
from hangbot.sandbox.chat.changes import delete_message, edit_message
from hangbot.sandbox.chat.connection import POINT, UPGRADE_FAULTS
from hangbot.sandbox.chat.context import ChatContext
from hangbot.sandbox.chat.dialects import DIALECTS, Dialect
from hangbot.sandbox.chat.rate_limit import RateLimiter
from hangbot.sandbox.chat.realtime import RealtimeConnections
from hangbot.sandbox.chat.realtime_rules import SocketRules, may_open_socket
from hangbot.sandbox.chat.receipts import store_message
from hangbot.sandbox.chat.request import (
    is_preflight,
    journal_row,
    open_to_origin,
    open_to_pages,
    read_body,
)
from hangbot.sandbox.chat.routes import ChatApi
from hangbot.sandbox.chat.rows import NewMessage, ReceiverType, Row
from hangbot.sandbox.chat.send_body import web_client_line
from hangbot.sandbox.chat.socket_token import SocketTokens
from hangbot.sandbox.chat.values import query_words
from hangbot.sandbox.chat.world import ChatWorld
from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.exchange import HandlerResult, HttpExchange
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.injector import FaultInjector
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.notes import note
from hangbot.sandbox.people import People, Person
from hangbot.web.http import Request, Response

__all__ = ["ChatService"]

SOCKET_PATHS: Final = ("/", "/ws", "/socket")


class ChatService:
    """The chat of one sandbox.

    Args:
        people: The users and their tokens.
        injector: What goes wrong on purpose.
        journal: Takes every request and frame.
        clock: The sandbox's clock.
        dialect: `openchat`, `cometchat`, `srechat`, or a `Dialect` made with `replace`.
        history: Rows kept in each conversation.
        app_id: CometChat's app id, wanted in the header `appId` by that dialect.
        ids: Where keys and ids come from.

    Attributes:
        api_key: The admin key of the header `apikey`.
        world: Users, groups and messages.
        realtime: The sockets.
        limiter: Limits requests, once it is given a limit.
    """

    def __init__(
        self,
        people: People,
        injector: FaultInjector,
        journal: Journal,
        clock: SandboxClock,
        *,
        dialect: str | Dialect = "openchat",
        history: int = 1000,
        app_id: str = "0123456789abcdef",
        ids: Ids | None = None,
    ) -> None:
        self.dialect = DIALECTS[dialect] if isinstance(dialect, str) else dialect
        self.app_id = app_id
        self._injector = injector
        self._ids = ids or Ids()
        self.api_key = self._ids.hex(20)
        self.world = ChatWorld(clock.now_s, self.dialect.rules, history=history)
        tokens = SocketTokens(self._ids)
        self.realtime = RealtimeConnections(
            dialect=self.dialect,
            clock=clock,
            injector=self._injector,
            journal=journal,
            app_id=app_id,
            rules=SocketRules(people, tokens, self.dialect, clock, self.world),
        )
        self._auth = Authenticator(
            self.world,
            self.dialect,
            people,
            app_id=app_id,
            api_key=self.api_key,
            tokens=tokens,
            online=self.realtime.online,
        )
        self._api = ChatApi(ChatContext(self.world, self.dialect, people, self._auth, self._ids))
        self._journal = journal
        self.limiter = RateLimiter(self.dialect)
        cors = open_to_pages if self.dialect.name == "openchat" else open_to_origin
        self._exchange = HttpExchange("chat", injector, journal, whose=people.behind, cors=cors)

    # -- what people in the sandbox do

    async def say(self, person: Person, guid: str, text: str) -> Row:
        """Send a line to a group as the web client does; returns the stored message."""
        return await self._post(person, guid, "group", text)

    async def dm(self, person: Person, to_uid: str, text: str) -> Row:
        """Send a direct message; returns the stored message."""
        return await self._post(person, to_uid, "user", text)

    async def edit(self, person: Person, number: int, text: str) -> None:
        """Change the text of a user's own message."""
        row = self.world.store.by_id(number)
        if row is not None:
            self.realtime.push(edit_message(self.world, person.uid, row, {"text": text}, None)[1])

    async def delete(self, person: Person, number: int) -> None:
        """Take back a user's own message."""
        row = self.world.store.by_id(number)
        if row is not None:
            self.realtime.push(delete_message(self.world, person.uid, row, None)[1])

    async def _post(self, person: Person, receiver: str, receiver_type: ReceiverType, text: str) -> Row:
        self.world.ensure_user(person.uid, person.nickname)
        if receiver_type == "user":
            self._auth.introduce(receiver)
        elif person.uid not in self.world.group(receiver).members:
            await self.join(person, receiver)
        message = NewMessage(receiver, receiver_type, data=web_client_line(person, text, self._ids))
        row, pushes = store_message(self.world, person.uid, message)
        self.realtime.push(pushes)
        return row

    async def join(self, person: Person, guid: str) -> None:
        """Join a group; once in, nothing happens."""
        self.world.rename(person.uid, person.nickname)
        if person.uid not in self.world.group(guid).members:
            self.realtime.push(self.world.join(person.uid, guid)[1])

    async def leave(self, person: Person, guid: str) -> None:
        """Leave a group."""
        self.world.ensure_user(person.uid, person.nickname)
        self.realtime.push(self.world.leave(person.uid, guid))

    async def kick(self, uid: str, guid: str) -> None:
        """Take a membership away; in a public group the next send joins again (measured)."""
        self._auth.introduce(uid)
        self.realtime.push(self.world.kick(uid, guid))

    async def ban(self, uid: str, guid: str) -> None:
        """Take a membership away for good."""
        self._auth.introduce(uid)
        self.realtime.push(self.world.ban(uid, guid))

    async def unban(self, uid: str, guid: str) -> None:
        """Let a banned user join again; of any other, nothing happens."""
        if uid in self.world.group(guid).banned:
            self.realtime.push(self.world.unban(uid, guid))

    def reset(self) -> None:
        """Start a fresh world: no groups, no messages, sockets dropped. Tokens stay."""
        self.realtime.abort_all()
        self.limiter.reset()
        self.world.clear()

    def close(self) -> None:
        """Drop every socket, end every hang."""
        self._injector.close()
        self.realtime.abort_all()

    # -- requests

    async def handle(self, request: Request) -> Response | None:
        """Answer a request to the chat, or open a socket."""
        path, _, query = request.target.partition("?")
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        if upgrade and request.can_upgrade and tidy_path(path) in SOCKET_PATHS:
            return await self._upgrade(request)
        if is_preflight(request):
            return self._exchange.allow(request)
        body, unreadable = read_body(request)
        segments, words = split_path(path), query_words(query)
        call = Call(request.method, path, segments, words, request.headers, body, unreadable)
        return await self._exchange.handle(
            request,
            point=fault_point(request.method, segments),
            seen=partial(journal_row, request, body, unreadable),
            handler=partial(self._answer, call),
        )

    def _answer(self, call: Call) -> HandlerResult:
        headers, refused = self.limiter.count(self.world.now)
        answer = self._api.answer(call) if refused is None else refused
        return HandlerResult(
            answer.status,
            answer.body,
            headers,
            answer.delay_s,
            answer.unknown_route,
            answer.uid,
            partial(self.realtime.push, answer.pushes) if answer.pushes else None,
            self.dialect.frame_first,
        )

    async def _upgrade(self, request: Request) -> Response | None:
        before = self._injector.before_request(POINT, UPGRADE_FAULTS)
        self._journal.record("chat", "in", "http", fault=before.fault_id, **note(request))
        if before.fault is not None:
            return await self._exchange.answer_fault(request, before)
        if not may_open_socket(request.headers.get("Origin"), self.dialect.socket_origins):
            return self._exchange.respond(request, HandlerResult(HTTPStatus.FORBIDDEN))
        self.realtime.open(request)
        return None
