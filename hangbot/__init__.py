"""hangbot: a Hang.fm room bot that never loses or doubles a message.

The public names load on first use: importing the package opens nothing and costs nothing.
"""

from importlib import import_module

TYPE_CHECKING = False  # as `typing` has it, without the import, which costs more than the whole package
if TYPE_CHECKING:
    from hangbot.app import App, Context, Router
    from hangbot.bot.app_forms import AnyApp
    from hangbot.bot.bot import Bot
    from hangbot.bot.events import (
        ChatMessage,
        DirectMessage,
        DjAdded,
        DjRemoved,
        Event,
        Joined,
        Kicked,
        RoomEvent,
        RoomReset,
        RoomSnapshot,
        Song,
        SongEnded,
        SongStarted,
        User,
        UserJoined,
        UserLeft,
        VoteChanged,
        Votes,
    )
    from hangbot.claims import read_claims
    from hangbot.clock import Clock
    from hangbot.config import Settings
    from hangbot.delivery.courier import Courier
    from hangbot.delivery.lock import exclusive, exclusive_soon
    from hangbot.delivery.message import Outgoing
    from hangbot.delivery.outbox import Outbox
    from hangbot.delivery.record import Notify, Settlement, Step
    from hangbot.delivery.thread_writer import ThreadWriter
    from hangbot.delivery.writer import InlineWriter
    from hangbot.errors import HangbotError
    from hangbot.factory import (
        open_bot,
        open_chat,
        open_clients,
        open_gateway,
        open_outbox,
        open_room,
        open_subject,
    )
    from hangbot.hangfm.chat import ChatClient
    from hangbot.hangfm.gateway import GatewayClient
    from hangbot.hangfm.room import RoomClient
    from hangbot.hangfm.wire.events import RoomMessage
    from hangbot.ids import Rng
    from hangbot.net import is_loopback
    from hangbot.preflight import examine, overall

__all__ = [
    "AnyApp",
    "App",
    "Bot",
    "ChatClient",
    "ChatMessage",
    "Clock",
    "Context",
    "Courier",
    "DirectMessage",
    "DjAdded",
    "DjRemoved",
    "Event",
    "GatewayClient",
    "HangbotError",
    "InlineWriter",
    "Joined",
    "Kicked",
    "Notify",
    "Outbox",
    "Outgoing",
    "Rng",
    "RoomClient",
    "RoomEvent",
    "RoomMessage",
    "RoomReset",
    "RoomSnapshot",
    "Router",
    "Settings",
    "Settlement",
    "Song",
    "SongEnded",
    "SongStarted",
    "Step",
    "ThreadWriter",
    "User",
    "UserJoined",
    "UserLeft",
    "VoteChanged",
    "Votes",
    "examine",
    "exclusive",
    "exclusive_soon",
    "is_loopback",
    "open_bot",
    "open_chat",
    "open_clients",
    "open_gateway",
    "open_outbox",
    "open_room",
    "open_subject",
    "overall",
    "read_claims",
]

__version__ = "0.1.0"

_HOMES = {
    "AnyApp": "bot.app_forms",
    "App": "app.app",
    "Bot": "bot.bot",
    "ChatClient": "hangfm.chat",
    "ChatMessage": "bot.events",
    "Clock": "clock",
    "Context": "app.context",
    "Courier": "delivery.courier",
    "DirectMessage": "bot.events",
    "DjAdded": "bot.events",
    "DjRemoved": "bot.events",
    "Event": "bot.events",
    "GatewayClient": "hangfm.gateway",
    "HangbotError": "errors",
    "InlineWriter": "delivery.writer",
    "Joined": "bot.events",
    "Kicked": "bot.events",
    "Notify": "delivery.record",
    "Outbox": "delivery.outbox",
    "Outgoing": "delivery.message",
    "Rng": "ids",
    "RoomClient": "hangfm.room",
    "RoomEvent": "bot.events",
    "RoomMessage": "hangfm.wire.events",
    "RoomReset": "bot.events",
    "RoomSnapshot": "bot.events",
    "Router": "app.router",
    "Settings": "config.settings",
    "Settlement": "delivery.record",
    "Song": "bot.events",
    "SongEnded": "bot.events",
    "SongStarted": "bot.events",
    "Step": "delivery.record",
    "ThreadWriter": "delivery.thread_writer",
    "User": "bot.events",
    "UserJoined": "bot.events",
    "UserLeft": "bot.events",
    "VoteChanged": "bot.events",
    "Votes": "bot.events",
    "examine": "preflight",
    "exclusive": "delivery.lock",
    "exclusive_soon": "delivery.lock",
    "is_loopback": "net",
    "open_bot": "factory.bot",
    "open_chat": "factory.clients",
    "open_clients": "factory.clients",
    "open_gateway": "factory.clients",
    "open_outbox": "factory.outbox",
    "open_room": "factory.room",
    "open_subject": "factory.subject",
    "overall": "preflight.model",
    "read_claims": "claims",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'hangbot' has no attribute {name!r}")
    value = getattr(import_module(f"hangbot.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
