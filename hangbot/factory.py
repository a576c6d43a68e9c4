"""The one place that opens anything: clients, room connections, outboxes, the bot.

Each ``open_…`` is an async context manager that closes what it opened, on every path. The
command line, the bot and the fixtures of `pytest_hangfm` call the same ones.
"""

import functools
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx

from hangbot.bot.bot import App, Bot
from hangbot.bot.options import BotOptions
from hangbot.claims import read_claims
from hangbot.clock import Clock, SystemClock
from hangbot.config import Settings
from hangbot.delivery.courier import Courier
from hangbot.delivery.limits import CircuitBreaker, RetryBudget, ThrottleLimits, TokenBucket
from hangbot.delivery.outbox import Outbox, OutboxLimits
from hangbot.delivery.owner import Owner
from hangbot.delivery.ports import MessageSink
from hangbot.delivery.record import Notify
from hangbot.delivery.retrier import Retrier
from hangbot.delivery.retry import RetryPolicy
from hangbot.delivery.throttle import Throttle
from hangbot.errors import Unavailable
from hangbot.hangfm.chat import ChatClient
from hangbot.hangfm.chat_token import ChatToken
from hangbot.hangfm.feed import PollingFeed
from hangbot.hangfm.gateway import GatewayClient
from hangbot.hangfm.http import HttpClient
from hangbot.hangfm.http1 import Http1Transport
from hangbot.hangfm.room import RoomClient
from hangbot.hangfm.socket import FrameTap, connect_room
from hangbot.hangfm.wire.actions import check_name
from hangbot.hangfm.wire.events import RoomMessage
from hangbot.health import Conditions
from hangbot.ids import SYSTEM_RNG, Rng
from hangbot.net import Proxied, check_environment, has_proxy, is_loopback, unverified, verified
from hangbot.proxies import unusable_environment

if TYPE_CHECKING:
    from hangbot.preflight import CheckContext, Service

__all__ = [
    "Clients",
    "make_courier",
    "open_bot",
    "open_chat",
    "open_clients",
    "open_gateway",
    "open_outbox",
    "open_room",
    "open_subject",
    "reconnect_policy",
    "send_policy",
]

_CHECK_WAITS: Final = 5.0
"""Seconds for which a check waits for a file that another process has locked."""
Turn = Callable[[Callable[[], bool]], Awaitable[bool]]
"""Waits until this process may deliver; see `hangbot.delivery.courier.Courier`."""

_FIRST_TRY: Final = 1.0
_LONGEST_WAIT: Final = 60.0
"""Seconds until a lost connection is tried again: the first time, and at the most."""


@dataclass(frozen=True, slots=True)
class Clients:
    """The two HTTP clients of a bot, over one connection pool."""

    gateway: GatewayClient
    chat: ChatClient


@asynccontextmanager
async def open_clients(
    settings: Settings,
    *,
    clock: Clock | None = None,
    rng: Rng | None = None,
    guard: Callable[[str, str], None] = lambda _method, _path: None,
) -> AsyncIterator[Clients]:
    """Open the gateway and the chat client; nothing is sent until they are used.

    Args:
        settings: The configuration.
        clock: Bounds every wait.
        rng: Draws the chat client's id.
        guard: Called with the method and path of each chat request before it is sent; what it raises
            keeps it from being sent.
    """
    clock = clock or SystemClock()
    token = settings.bot_user_token.get_secret_value()
    async with _open_http(settings.chat_url, settings.gateway_url) as http:
        gateway = GatewayClient(
            HttpClient(
                http, settings.gateway_url, service="gateway", clock=clock, timeout=settings.ack_timeout
            ),
            token,
        )
        chat = ChatClient(
            HttpClient(http, settings.chat_url, service="chat", clock=clock, timeout=settings.ack_timeout),
            token=ChatToken(
                gateway.exchange_token,
                settings.chat_token.get_secret_value() if settings.chat_token else None,
            ),
            group=settings.chat_receiver,
            app_id=settings.chat_app_id,
            uid=settings.chat_uid,
            name=settings.bot_name,
            joins=settings.auto_join,
            slots=settings.http_concurrency,
            guard=guard,
            rng=rng or SYSTEM_RNG,
        )
        yield Clients(gateway, chat)


@asynccontextmanager
async def open_chat(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[ChatClient]:
    """Open a chat client."""
    async with open_clients(settings, clock=clock) as clients:
        yield clients.chat


@asynccontextmanager
async def open_gateway(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[GatewayClient]:
    """Open a gateway client."""
    async with open_clients(settings, clock=clock) as clients:
        yield clients.gateway


@asynccontextmanager
async def open_room(
    settings: Settings,
    *,
    clock: Clock | None = None,
    on_message: Callable[[RoomMessage], None] = lambda _: None,
    on_frame: Callable[[str | bytes], None] | None = None,
    guard: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[RoomClient]:
    """Connect to the room socket and listen; joining is the caller's next step.

    Args:
        settings: The configuration.
        clock: Bounds every wait.
        on_message: Told every room message.
        on_frame: Shown every frame as it came, before it is read.
        guard: Called with an action's name before it is sent; what it raises keeps it from being sent.

    Raises:
        HangbotError: As `hangbot.hangfm.socket.connect_room` does.
    """
    token = settings.ttfm_api_token.get_secret_value()
    claims, clock = read_claims(token), clock or SystemClock()
    connection = await connect_room(
        settings.room_url, token, within=settings.connect_timeout, now=clock.wall()
    )
    room = RoomClient(
        connection if on_frame is None else FrameTap(connection, on_frame),
        settings.room_uuid,
        clock=clock,
        ack_timeout=settings.ack_timeout,
        silence=settings.heartbeat_timeout,
        on_message=on_message,
        guard=guard,
        me=claims.uid if claims else settings.chat_uid,
    )
    async with room.listening():
        yield room


@asynccontextmanager
async def open_outbox(
    settings: Settings, *, check: bool = False, binds: bool = True, patience: float = math.inf
) -> AsyncIterator[Outbox]:
    """Open a bot's outbox.

    Args:
        settings: The configuration.
        check: Whether to look through all of it for damage first.
        binds: Whether a file that is nobody's becomes this bot's.
        patience: Seconds for which a file is waited for that another process has locked.

    Raises:
        OutboxUnusable: The file cannot be used.
        OutboxOfAnother: It is another bot's.
    """
    bounds = OutboxLimits(settings.queue_limit, settings.keep_delivered_for, settings.keep_delivered_most)
    owner = Owner(settings.chat_uid, settings.room_uuid, frozenset({settings.chat_receiver}), binds)
    outbox = Outbox(settings.outbox, bounds, owner, patience=patience)
    try:
        await outbox.open(check=check)
        yield outbox
    finally:
        await outbox.close()


@asynccontextmanager
async def open_subject(
    settings: Settings, *, clock: Clock | None = None, rng: Rng | None = None
) -> AsyncIterator["CheckContext"]:
    """Open what checks run against."""
    from hangbot.preflight import CheckContext  # noqa: PLC0415  only what runs checks pays for it

    clock = clock or SystemClock()

    @asynccontextmanager
    async def open_http(service: "Service") -> AsyncIterator[HttpClient]:
        url = {"gateway": settings.gateway_url, "chat": settings.chat_url, "room": _over_http(settings)}[
            service
        ]
        async with _open_http(url) as http:
            yield HttpClient(http, url, service=service, clock=clock, timeout=settings.ack_timeout)

    async with open_clients(settings, clock=clock, rng=rng) as clients:
        yield CheckContext(
            settings,
            clients.gateway,
            clients.chat,
            lambda *, on_frame=None: open_room(settings, clock=clock, on_frame=on_frame),
            lambda: open_outbox(settings, binds=False, patience=_CHECK_WAITS),
            open_http,
            clock,
            rng or SYSTEM_RNG,
        )


def make_courier(
    settings: Settings,
    outbox: Outbox,
    sink: MessageSink,
    *,
    clock: Clock | None = None,
    rng: Rng | None = None,
    notify: Notify = lambda _: None,
    conditions: Conditions | None = None,
    turn: Turn | None = None,
) -> Courier:
    """Make a courier for an open outbox; the caller holds `hangbot.delivery.outbox.exclusive`."""
    who = None
    if settings.chat_uid is None and isinstance(sink, ChatClient):
        who = functools.partial(_who, sink)
    clock, rng, conditions = clock or SystemClock(), rng or SYSTEM_RNG, conditions or Conditions()
    limits = ThrottleLimits(
        TokenBucket(settings.rate, settings.burst),
        RetryBudget(),
        CircuitBreaker(reconnect_policy(settings)),
        in_flight=settings.http_concurrency,
    )
    throttle = Throttle(limits, clock, rng, sink, conditions)
    return Courier(
        outbox,
        sink,
        retrier=Retrier(send_policy(settings), clock, rng, throttle),
        throttle=throttle,
        notify=notify,
        ttl=settings.message_ttl,
        conditions=conditions,
        who=who,
        turn=turn,
    )


async def _who(chat: ChatClient) -> str:
    """Return the uid of the bot whose token it is, which the token itself does not tell."""
    if chat.uid is None:
        await chat.me()
    if chat.uid is None:
        raise Unavailable("the chat did not say who the token belongs to (/me without a uid)", service="chat")
    return chat.uid


@asynccontextmanager
async def open_bot(
    settings: Settings,
    outbox: Outbox,
    *,
    app: App | None = None,
    clock: Clock | None = None,
    rng: Rng | None = None,
    notify: Notify = lambda _: None,
    turn: Turn | None = None,
) -> AsyncIterator[Bot]:
    """Open a bot over an open outbox; `Bot.run` runs it, and delivers when it is its ``turn``."""
    clock, rng, conditions = clock or SystemClock(), rng or SYSTEM_RNG, Conditions()
    async with open_clients(settings, clock=clock, rng=rng) as clients:
        yield Bot(
            BotOptions(
                name=settings.bot_name,
                boot_message=settings.boot_message,
                drain=settings.drain,
                welcome_timeout=settings.welcome_timeout,
                poll_interval=settings.poll_interval,
                joins=settings.auto_join,
                learns_owner=settings.chat_uid is None,
            ),
            chat=clients.chat,
            feed=PollingFeed(clients.chat),
            courier=make_courier(
                settings,
                outbox,
                clients.chat,
                clock=clock,
                rng=rng,
                notify=notify,
                conditions=conditions,
                turn=turn,
            ),
            open_room=lambda: open_room(settings, clock=clock),
            check_action=check_name,
            retrier=Retrier(send_policy(settings), clock, rng),
            notify=notify,
            reconnects=reconnect_policy(settings),
            app=app,
            conditions=conditions,
        )


def send_policy(settings: Settings) -> RetryPolicy:
    """Return when a send is tried again."""
    return RetryPolicy(
        attempts=settings.retry_attempts,
        base=settings.retry_base,
        factor=settings.retry_factor,
        longest=settings.retry_max,
        jitter=settings.retry_jitter,
        strategy=settings.retry_strategy,
        total=settings.retry_total,
    )


def reconnect_policy(settings: Settings) -> RetryPolicy:
    """Return when a connection is tried again, and a service that is down asked again.

    From the whole step, so that bots spread out; at the cap from its upper half, which bounds how often a
    service is asked that is away for long (43 times in 18 minutes at the most, 30 on average) and how long
    after its return a bot is back. The first try is never later than a second after the loss.
    """
    return RetryPolicy(
        base=min(settings.retry_base, _FIRST_TRY),
        factor=2.0,
        longest=_LONGEST_WAIT,
        jitter=0.0,
        strategy="full",
        at_longest="equal",
    )


@asynccontextmanager
async def _open_http(*urls: str) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """Open what carries requests to some addresses: a proxy of the environment is for the world only."""
    local = [url for url in urls if is_loopback(url)]
    world = len(local) < len(urls)
    check_environment(*urls)
    try:
        context = verified() if world else unverified()
        transport = Proxied(context, past=local) if world and has_proxy() else Http1Transport(context)
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as exc:
        raise unusable_environment(exc) from None
    async with transport as http:
        yield http


def _over_http(settings: Settings) -> str:
    """Return where the room server answers plain HTTP, without the user that its address may name."""
    parts = urlsplit(settings.room_url)
    scheme = "https" if parts.scheme in {"https", "wss"} else "http"
    return f"{scheme}://{parts.netloc.rpartition('@')[2]}"
