"""Opens the HTTP clients of a bot."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from hangbot.clock import Clock, SystemClock
from hangbot.config import Settings
from hangbot.hangfm.chat import ChatClient
from hangbot.hangfm.chat_token import ChatToken
from hangbot.hangfm.gateway import GatewayClient
from hangbot.hangfm.http import HttpClient
from hangbot.hangfm.network import NETWORK, Network
from hangbot.ids import SYSTEM_RNG, Rng

__all__ = ["Clients", "open_chat", "open_clients", "open_gateway"]


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

        def client(service: str, base: str) -> HttpClient:
            return HttpClient(
                http,
                base,
                service=service,
                clock=clock,
                timeout=limit,
                journal=journal,
                permit=network.permit,
            )

        gateway = GatewayClient(
            client("gateway", settings.gateway_url), settings.bot_user_token.get_secret_value()
        )
        known = settings.chat_token.get_secret_value() if settings.chat_token else None
        chat = ChatClient(
            client("chat", settings.chat_url),
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
