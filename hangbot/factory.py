"""The one place that opens anything: clients, room connections, outboxes, the bot.

Each ``open_…`` is an async context manager that closes what it opened, on every path.
"""

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from hangbot.bot.app_forms import AnyApp
from hangbot.bot.bot import Bot
from hangbot.bot.canary import Canary
from hangbot.bot.events import Event
from hangbot.bot.ledger import Ledger
from hangbot.bot.pace import reconnect_policy
from hangbot.claims import read_claims
from hangbot.clock import Clock, SystemClock
from hangbot.config import Settings
from hangbot.config.core import bot_options, send_policy
from hangbot.delivery.counting import count_steps
from hangbot.delivery.courier import Courier
from hangbot.delivery.inbox import Inbox
from hangbot.delivery.limits import CircuitBreaker, RetryBudget, ThrottleLimits, TokenBucket
from hangbot.delivery.outbox import Outbox, OutboxLimits
from hangbot.delivery.owner import Owner
from hangbot.delivery.ports import MessageSink
from hangbot.delivery.record import Notify, kept_in, notify_all
from hangbot.delivery.retrier import Retrier
from hangbot.delivery.store import Store
from hangbot.delivery.thread_writer import ThreadWriter
from hangbot.delivery.throttle import Throttle
from hangbot.delivery.writer import MakeWriter
from hangbot.figures import Figures
from hangbot.hangfm.chat import ChatClient
from hangbot.hangfm.chat_history import HistoryReader
from hangbot.hangfm.chat_socket import open_chat_socket
from hangbot.hangfm.chat_token import ChatToken
from hangbot.hangfm.gateway import GatewayClient
from hangbot.hangfm.http import HttpClient
from hangbot.hangfm.moderation import RoomModeration
from hangbot.hangfm.network import NETWORK, Network
from hangbot.hangfm.room import RoomClient
from hangbot.hangfm.socket import FrameTap, connect_room
from hangbot.hangfm.wire.actions import check_name
from hangbot.hangfm.wire.events import RoomMessage
from hangbot.hangfm.wire.room_events import RoomEvents
from hangbot.health import AT_ONCE, Conditions, parts_for
from hangbot.ids import SYSTEM_RNG, Rng
from hangbot.journal import SILENT, Journal, NotedChance, Snapshot
from hangbot.net import over_http

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
]

_CHECK_WAITS: Final = 5.0
"""Seconds for which a check waits for a file that another process has locked."""


class Clients(NamedTuple):
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
    network: Network = NETWORK,
) -> AsyncIterator[Clients]:
    """Open the gateway and the chat client; nothing is sent until they are used.

    Args:
        settings: The configuration.
        clock: Bounds every wait.
        rng: Draws the chat client's id.
        guard: Called with the method and path of each chat request before it is sent; what it raises
            keeps it from being sent.
        network: Carries them.
    """
    clock, limit, journal = clock or SystemClock(), settings.ack_timeout, network.journal
    async with network.open_transport(settings.chat_url, settings.gateway_url, clock=clock) as http:
        asking = HttpClient(
            http, settings.gateway_url, service="gateway", clock=clock, timeout=limit, journal=journal
        )
        gateway = GatewayClient(asking, settings.bot_user_token.get_secret_value())
        known = settings.chat_token.get_secret_value() if settings.chat_token else None
        chat = ChatClient(
            HttpClient(http, settings.chat_url, service="chat", clock=clock, timeout=limit, journal=journal),
            token=ChatToken(gateway.exchange_token, known),
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
async def open_room(  # noqa: PLR0913  what may be handed in, by name
    settings: Settings,
    *,
    clock: Clock | None = None,
    on_message: Callable[[RoomMessage], None] = lambda _: None,
    on_frame: Callable[[str | bytes], None] | None = None,
    guard: Callable[[str], None] = lambda _: None,
    events: RoomEvents | None = None,
    on_event: Callable[[Event], None] | None = None,
    network: Network = NETWORK,
    figures: Figures | None = None,
) -> AsyncIterator[RoomClient]:
    """Connect to the room socket and listen; joining is the caller's next step.

    Args:
        settings: The configuration.
        clock: Bounds every wait.
        on_message: Given every room message.
        on_frame: Shown every frame as it came, before it is read.
        guard: Called with an action's name before it is sent; what it raises keeps it from being sent.
        events: Finds out what happens, over several connections where it is given to each of them.
        on_event: Called with what happens, in order.
        network: Carries it.
        figures: Count what it hears.

    Raises:
        HangbotError: As `hangbot.hangfm.socket.connect_room` does.
    """
    token, within = settings.ttfm_api_token.get_secret_value(), settings.connect_timeout
    claims, clock = read_claims(token), clock or SystemClock()
    connection = await connect_room(
        settings.room_url, token, within=within, clock=clock, journal=network.journal, dialling=network.dial
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
        events=None if on_event is None else events or RoomEvents(settings.room_uuid),
        on_event=on_event or (lambda _: None),
        figures=figures,
    )
    async with room.listening():
        yield room


@asynccontextmanager
async def open_outbox(
    settings: Settings,
    *,
    check: bool = False,
    binds: bool = True,
    patience: float = math.inf,
    clock: Clock | None = None,
    make_writer: MakeWriter = ThreadWriter,
) -> AsyncIterator[Outbox]:
    """Open a bot's outbox.

    Args:
        settings: The configuration.
        check: Whether to look through all of it for damage first.
        binds: Whether a file without an owner becomes this bot's.
        patience: Seconds for which a file is waited for that another process has locked.
        clock: Dates what is quarantined.
        make_writer: Makes what runs its statements; `hangbot.delivery.writer.InlineWriter` takes no thread.

    Raises:
        OutboxUnusable: The file cannot be used.
        OutboxOfAnother: It is another bot's.
    """
    kept = settings.keep_delivered_for, settings.keep_delivered_most
    limits = OutboxLimits(settings.queue_limit, *kept, settings.catch_up)
    owner = Owner(settings.chat_uid, settings.room_uuid, frozenset({settings.chat_receiver}), binds)
    outbox = Outbox(settings.outbox, limits, owner, patience=patience, clock=clock, make_writer=make_writer)
    try:
        await outbox.open(check=check)
        yield outbox
    finally:
        await outbox.close()


@asynccontextmanager
async def open_subject(
    settings: Settings, *, clock: Clock | None = None, rng: Rng | None = None, network: Network = NETWORK
) -> AsyncIterator["CheckContext"]:
    """Open what checks run against."""
    from hangbot.preflight import CheckContext  # noqa: PLC0415  only what runs checks pays for it

    clock, room = clock or SystemClock(), over_http(settings.room_url)
    urls = {"gateway": settings.gateway_url, "chat": settings.chat_url, "room": room}

    @asynccontextmanager
    async def open_one(service: "Service") -> AsyncIterator[HttpClient]:
        async with network.open_transport(urls[service], clock=clock) as http:
            yield HttpClient(
                http,
                urls[service],
                service=service,
                clock=clock,
                timeout=settings.ack_timeout,
                journal=network.journal,
            )

    async with open_clients(settings, clock=clock, rng=rng, network=network) as clients:
        yield CheckContext(
            settings,
            clients.gateway,
            clients.chat,
            lambda *, on_frame=None: open_room(settings, clock=clock, on_frame=on_frame, network=network),
            lambda: open_outbox(settings, binds=False, patience=_CHECK_WAITS),
            open_one,
            clock,
            rng or SYSTEM_RNG,
        )


def make_courier(  # noqa: PLR0913  what it is wired with
    settings: Settings,
    outbox: Outbox,
    sink: MessageSink,
    *,
    clock: Clock | None = None,
    rng: Rng | None = None,
    notify: Notify = lambda _: None,
    conditions: Conditions | None = None,
    turn: Callable[[Callable[[], bool]], Awaitable[bool]] | None = None,
    journal: Journal = SILENT,
    figures: Figures | None = None,
) -> Courier:
    """Make a courier for an open outbox; the caller holds `hangbot.delivery.outbox.exclusive`."""
    figures = figures or Figures()
    who = sink.own_uid if settings.chat_uid is None and isinstance(sink, ChatClient) else None
    clock, rng, bucket = clock or SystemClock(), rng or SYSTEM_RNG, TokenBucket(settings.rate, settings.burst)
    conditions = conditions or Conditions(clock.now, AT_ONCE)
    breaker = CircuitBreaker(reconnect_policy(settings.retry_base))
    limits = ThrottleLimits(bucket, RetryBudget(), breaker, in_flight=settings.http_concurrency)
    throttle = Throttle(limits, clock, rng, sink, conditions, figures)
    return Courier(
        outbox,
        sink,
        retrier=Retrier(send_policy(settings), clock, rng, throttle),
        throttle=throttle,
        journal=journal,
        notify=notify_all(notify, count_steps(figures, "chat")),
        ttl=settings.message_ttl,
        conditions=conditions,
        who=who,
        turn=turn,
    )


@asynccontextmanager
async def open_bot(  # noqa: PLR0913  as above
    settings: Settings,
    outbox: Outbox,
    *,
    app: AnyApp | None = None,
    clock: Clock | None = None,
    rng: Rng | None = None,
    notify: Notify = lambda _: None,
    turn: Callable[[Callable[[], bool]], Awaitable[bool]] | None = None,
    network: Network = NETWORK,
    figures: Figures | None = None,
) -> AsyncIterator[Bot]:
    """Open a bot over an open outbox; `Bot.run` runs it, and delivers when it is its ``turn``.

    What it does it counts into the ``figures``.
    """
    figures = figures or Figures()
    clock, rng, journal = clock or SystemClock(), rng or SYSTEM_RNG, network.journal
    if journal.keeps:
        rng, notify = NotedChance(rng, journal), notify_all(notify, kept_in(journal))
    parts = parts_for(settings.chat_silence, settings.heartbeat_timeout)
    red = Conditions(clock.now, parts, seen=partial(journal.add, "health"))
    happened = RoomEvents(settings.room_uuid)
    async with open_clients(settings, clock=clock, rng=rng, network=network) as clients:
        history = HistoryReader(clients.chat)
        courier = make_courier(
            settings,
            outbox,
            clients.chat,
            clock=clock,
            rng=rng,
            notify=notify,
            conditions=red,
            turn=turn,
            journal=journal,
            figures=figures,
        )
        canary = Canary(clients.chat, courier, lambda: clients.chat.uid, clock, rng, red)
        ledger = Ledger(Inbox(outbox.file, clock), clients.chat, history)
        bot = Bot(
            bot_options(settings),
            chat=clients.chat,
            history=history,
            open_push=lambda: open_chat_socket(
                clients.chat,
                app_id=settings.chat_app_id,
                within=settings.connect_timeout,
                clock=clock,
                network=network,
            ),
            ledger=ledger,
            courier=courier,
            open_room=lambda hears: open_room(
                settings, clock=clock, events=happened, on_event=hears, network=network, figures=figures
            ),
            check_action=check_name,
            retrier=Retrier(send_policy(settings), clock, rng),
            notify=notify_all(notify, count_steps(figures, "room")),
            reconnects=reconnect_policy(settings.retry_base),
            app=app,
            conditions=red,
            canary=canary if settings.canary else None,
            journal=journal,
            figures=figures,
            facts=happened,
            store=Store(outbox.file, clock),
            moderation=RoomModeration(clients.gateway, clients.chat, settings.room_uuid),
        )
        if journal.keeps:
            journal.snapshot = lambda: Snapshot(bot.room_state, ledger.newest())
        yield bot
