"""The chat server: REST, real-time WebSocket and the gateway on one port.

One catch-all handler reads a request, finds out whose it is, and hands it to the pure parts:
`ChatApi` for `/v3…`, `Gateway` for `/api/…`, `SocketHub` for an upgrade.
"""

from functools import partial
from typing import Final

from hangbot.sandbox.chat.call import Call, fault_point, split_path, tidy_path
from hangbot.sandbox.chat.dialects import DIALECTS, Dialect
from hangbot.sandbox.chat.rate_limit import RateLimit, RateLimiter
from hangbot.sandbox.chat.reactions import Reactions
from hangbot.sandbox.chat.realtime import SocketHub
from hangbot.sandbox.chat.realtime_rules import SocketRules, may_open_socket
from hangbot.sandbox.chat.request import Outcome, Wire, is_preflight, read_body, seen_of
from hangbot.sandbox.chat.routes import ChatApi
from hangbot.sandbox.chat.rows import NewMessage, Row
from hangbot.sandbox.chat.send_body import web_client_line
from hangbot.sandbox.chat.socket_token import SocketTokens
from hangbot.sandbox.chat.values import query_words
from hangbot.sandbox.chat.world import ChatWorld
from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.faults import Faults
from hangbot.sandbox.gateway.call import GatewayCall, gateway_point, gateway_segments, is_for_gateway
from hangbot.sandbox.gateway.routes import Gateway, Rooms
from hangbot.sandbox.http import Request, Response
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.people import People, Person
from hangbot.sandbox.websocket import POINT, UPGRADE_FAULTS

__all__ = ["ChatService", "RateLimit"]

SOCKET_PATHS: Final = ("/", "/ws", "/socket")


class ChatService:
    """Chat and gateway of one sandbox.

    Args:
        people: Who lives here; their tokens.
        faults: What goes wrong on purpose.
        journal: Takes every request and frame.
        clock: The sandbox's clock.
        dialect: `openchat`, `cometchat`, `srechat`, or a `Dialect` made with `replace`.
        history: Rows kept in each conversation.
        app_id: CometChat's app id, wanted in the header `appId` by that dialect.
        ids: Where keys and ids come from.

    Attributes:
        api_key: The admin key of the header `apikey`.
        gateway: The gateway; its `rooms` is set once the room world exists.
    """

    def __init__(
        self,
        people: People,
        faults: Faults,
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
        self._ids = ids or Ids()
        self.api_key = self._ids.hex(20)
        self.gateway = Gateway(people)
        self._people = people
        self._faults = faults
        self._journal = journal
        self._clock = clock
        self._history = history
        self._jwt = SocketTokens(self._ids)
        self._limiter = RateLimiter(self.dialect)
        self._wire = Wire(
            faults, journal, clock, whose=people.behind, open_chat=self.dialect.name == "openchat"
        )
        self._hub = SocketHub(
            dialect=self.dialect,
            clock=clock,
            faults=faults,
            journal=journal,
            app_id=app_id,
            rules=SocketRules(people, self._jwt, self.dialect, clock, lambda: self._api.world),
        )
        self._api = self._new_api()

    def _new_api(self) -> ChatApi:
        world = ChatWorld(self._clock.now_s, self.dialect.rules, history=self._history)
        return ChatApi(
            world,
            self.dialect,
            self._people,
            app_id=self.app_id,
            api_key=self.api_key,
            jwt=self._jwt,
            online=self._hub.online,
        )

    @property
    def world(self) -> ChatWorld:
        """Users, groups and messages."""
        return self._api.world

    def online(self, uid: str) -> bool:
        """Whether a user has an authenticated socket."""
        return self._hub.online(uid)

    @property
    def reactions(self) -> Reactions:
        """Who reacted to what."""
        return self._api.reactions

    @property
    def rate_limit(self) -> RateLimit | None:
        """How many requests a minute are taken; None is unlimited."""
        return self._limiter.limit

    @rate_limit.setter
    def rate_limit(self, limit: RateLimit | None) -> None:
        self._limiter.limit = limit

    @property
    def rooms(self) -> Rooms:
        """Where the gateway reads rooms."""
        return self.gateway.rooms

    @rooms.setter
    def rooms(self, rooms: Rooms) -> None:
        self.gateway.rooms = rooms

    # -- what people in the sandbox do -------------------------------------------------

    async def say(self, person: Person, guid: str, text: str) -> Row:
        """Send a line to a group as the web client does; returns the stored message."""
        return await self._post(person, NewMessage(guid, "group", data=web_client_line(person, text)))

    async def dm(self, person: Person, to_uid: str, text: str) -> Row:
        """Send a direct message; returns the stored message."""
        return await self._post(person, NewMessage(to_uid, "user", data=web_client_line(person, text)))

    async def _post(self, person: Person, message: NewMessage) -> Row:
        self.world.ensure_user(person.uid, person.nickname)
        if message.receiver_type == "group" and person.uid not in self.world.group(message.receiver).members:
            await self.join(person, message.receiver)
        row, pushes = self._api.store(person.uid, message)
        self._hub.push(pushes)
        return row

    async def join(self, person: Person, guid: str) -> None:
        """Join a group; once in, nothing happens."""
        self.world.rename(person.uid, person.nickname)
        if person.uid not in self.world.group(guid).members:
            self._hub.push(self.world.join(person.uid, guid)[1])

    async def leave(self, person: Person, guid: str) -> None:
        """Leave a group."""
        self.world.ensure_user(person.uid, person.nickname)
        self._hub.push(self.world.leave(person.uid, guid))

    async def kick(self, uid: str, guid: str) -> None:
        """Take a membership away; in a public group the next send joins again (measured)."""
        self._introduce(uid)
        self._hub.push(self.world.kick(uid, guid))

    async def ban(self, uid: str, guid: str) -> None:
        """Take a membership away for good."""
        self._introduce(uid)
        self._hub.push(self.world.ban(uid, guid))

    async def unban(self, uid: str, guid: str) -> None:
        """Let somebody join again; of one who is not banned, nothing."""
        if uid in self.world.group(guid).banned:
            self._hub.push(self.world.unban(uid, guid))

    def _introduce(self, uid: str) -> None:
        """Who never spoke in the chat may be banned from it all the same."""
        person = self._people.find(uid)
        if person is not None:
            self.world.ensure_user(person.uid, person.nickname)

    def reset(self) -> None:
        """Start a fresh world: no groups, no messages, sockets dropped. Tokens stay."""
        self._hub.abort_all()
        self.gateway.reset()
        self._limiter.reset()
        self._api = self._new_api()

    def abort_all(self) -> None:
        """Drop every socket."""
        self._hub.abort_all()

    def close(self) -> None:
        """Drop every socket, end every hang."""
        self._wire.close()
        self._hub.abort_all()

    # -- the door ----------------------------------------------------------------------

    async def handle(self, request: Request) -> Response | None:
        """Answer a request to the chat or the gateway, which have one port, or open a socket."""
        if is_for_gateway(request.target):
            return await self.handle_gateway(request)
        return await self.handle_chat(request)

    async def handle_chat(self, request: Request) -> Response | None:
        """Answer a request to the chat, or open a socket."""
        path, _, query = request.target.partition("?")
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        if upgrade and request.can_upgrade and tidy_path(path) in SOCKET_PATHS:
            return await self._upgrade(request)
        if is_preflight(request):
            return self._allow(request, "chat")
        body, unreadable = read_body(request)
        segments = split_path(path)
        words = query_words(query)
        call = Call(request.method, path, segments, words, request.headers, body, unreadable)
        seen = partial(seen_of, request, body, unreadable)

        def do() -> Outcome:
            headers, refused = self._limiter.count(self.world.now)
            if refused is not None:
                return refused
            answer = self._api.answer(call)
            pushes = answer.pushes
            return Outcome(
                answer.status,
                answer.body,
                headers,
                answer.delay_s,
                answer.unknown_route,
                answer.uid,
                (lambda: self._hub.push(pushes)) if pushes else None,
                self.dialect.frame_first,
            )

        point = fault_point(request.method, segments)
        return await self._wire.exchange(request, service="chat", point=point, seen=seen, do=do)

    async def handle_gateway(self, request: Request, service: str | None = None) -> Response | None:
        """Answer a request to the gateway.

        Args:
            request: The request.
            service: The service that the host stands for, where that is not the gateway's own.
        """
        if is_preflight(request):
            return self._allow(request, "gateway")
        path, _, query = request.target.partition("?")
        segments = gateway_segments(path, service)
        body, unreadable = read_body(request)
        call = GatewayCall(
            request.method,
            segments,
            query,
            request.headers.get("Authorization", ""),
            None if unreadable else body,
        )
        seen = partial(seen_of, request, body, unreadable)

        def do() -> Outcome:
            answer = self.gateway.answer(call)
            return Outcome(answer.status, answer.body, unknown_route=answer.unknown_route, uid=answer.uid)

        point = gateway_point(segments)
        return await self._wire.exchange(request, service="gateway", point=point, seen=seen, do=do)

    def _allow(self, request: Request, service: str) -> Response:
        """Answer what a browser asks before it sends a page's request."""
        self._journal.record(service, "in", "http", **request.note())
        return self._wire.respond(request, service, Outcome(204))

    # -- the socket --------------------------------------------------------------------

    async def _upgrade(self, request: Request) -> Response | None:
        fault = self._faults.take(POINT, UPGRADE_FAULTS)
        if fault is not None:
            self._journal.record("chat", "in", "http", fault=fault.id, **request.note())
            return await self._wire.instead(request, "chat", fault)
        self._journal.record("chat", "in", "http", **request.note())
        if not may_open_socket(request.headers.get("Origin"), self.dialect.socket_origins):
            return self._wire.respond(request, "chat", Outcome(403))
        self._hub.open(request)
        return None
