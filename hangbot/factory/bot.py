"""Opens a bot, and makes what delivers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial

from hangbot.bot.app_forms import AnyApp
from hangbot.bot.bot import Bot
from hangbot.bot.canary import Canary
from hangbot.bot.held_up import HeldUp
from hangbot.bot.ledger import Ledger
from hangbot.bot.pace import reconnect_policy
from hangbot.clock import Clock, SystemClock
from hangbot.config import Settings
from hangbot.config.core import bot_options, send_policy
from hangbot.delivery.counting import count_steps
from hangbot.delivery.courier import Courier
from hangbot.delivery.inbox import Inbox
from hangbot.delivery.limits import CircuitBreaker, RetryBudget, ThrottleLimits
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.ports import MessageSink
from hangbot.delivery.record import Notify, kept_in, notify_all
from hangbot.delivery.retrier import Retrier
from hangbot.delivery.store import Store
from hangbot.delivery.throttle import Throttle
from hangbot.factory.clients import open_clients
from hangbot.factory.room import open_room
from hangbot.figures import Figures
from hangbot.hangfm.author_http import AuthorHttp
from hangbot.hangfm.chat import ChatClient
from hangbot.hangfm.chat_history import HistoryReader
from hangbot.hangfm.chat_socket import open_chat_socket
from hangbot.hangfm.moderation import RoomModeration
from hangbot.hangfm.network import NETWORK, Network
from hangbot.hangfm.permit import ALWAYS, Permit
from hangbot.hangfm.wire.actions import check_name
from hangbot.hangfm.wire.room_events import RoomEvents
from hangbot.health import AT_ONCE, Conditions, parts_for
from hangbot.ids import SYSTEM_RNG, Rng
from hangbot.journal import SILENT, Journal, Snapshot
from hangbot.token_bucket import TokenBucket

__all__ = ["make_courier", "open_bot"]


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
    permit: Permit = ALWAYS,
) -> Courier:
    """Make a courier for an open outbox; the caller holds `hangbot.delivery.outbox.exclusive`."""
    figures = figures or Figures()
    who = sink.own_uid if settings.chat_uid is None and isinstance(sink, ChatClient) else None
    clock, rng, bucket = clock or SystemClock(), rng or SYSTEM_RNG, TokenBucket(settings.rate, settings.burst)
    conditions = conditions or Conditions(clock.now, AT_ONCE)
    breaker = CircuitBreaker(reconnect_policy(settings.retry_base))
    limits = ThrottleLimits(bucket, RetryBudget(), breaker, in_flight=settings.http_concurrency)
    drawing = journal.noted(rng, "throttle")
    throttle = Throttle(limits, clock, drawing, sink, conditions, figures, may_send=permit.holds)
    return Courier(
        outbox,
        sink,
        retrier=Retrier(send_policy(settings), clock, journal.noted(rng, "delivery"), throttle),
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
    held_up: HeldUp | None = None,
) -> AsyncIterator[Bot]:
    """Open a bot over an open outbox; `Bot.run` runs it, and delivers when it is its ``turn``.

    What it does it counts into the ``figures``; what ``held_up`` the process it does not call again.
    """
    figures = figures or Figures()
    clock, rng, journal = clock or SystemClock(), rng or SYSTEM_RNG, network.journal
    if journal.keeps:
        notify = notify_all(notify, kept_in(journal))
        journal.snapshot = lambda: Snapshot(None, {}, app is not None)
    parts = parts_for(settings.chat_silence, settings.heartbeat_timeout)
    red = Conditions(clock.now, parts, seen=partial(journal.add, "health"))
    happened = RoomEvents(settings.room_uuid)
    drawing = journal.noted(rng, "client")
    author = AuthorHttp()
    async with (
        open_clients(settings, clock=clock, rng=drawing, network=network) as clients,
        aclosing(author),
    ):
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
            permit=network.permit,
        )
        drawing = journal.noted(rng, "canary")
        canary = Canary(clients.chat, courier, lambda: clients.chat.uid, clock, drawing, red)
        ledger = Ledger(Inbox(outbox.place, clock), clients.chat, history, journal)
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
                settings,
                clock=clock,
                events=happened,
                on_event=hears,
                network=network,
                figures=figures,
            ),
            check_action=check_name,
            retrier=Retrier(send_policy(settings), clock, journal.noted(rng, "bot")),
            notify=notify_all(notify, count_steps(figures, "room")),
            reconnects=reconnect_policy(settings.retry_base),
            app=app,
            conditions=red,
            canary=canary if settings.canary else None,
            journal=journal,
            figures=figures,
            held_up=held_up,
            facts=happened,
            store=Store(outbox.place, clock),
            moderation=RoomModeration(clients.gateway, clients.chat, settings.room_uuid),
            offers={Settings: lambda: settings, author.kind: author.client},
        )
        if journal.keeps:
            journal.snapshot = lambda: Snapshot(bot.room_state, ledger.newest(), app is not None)
        yield bot
