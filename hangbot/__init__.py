"""hangbot: a Hang.fm room bot that never loses or doubles a message.

The public names load on first use: importing the package opens nothing and costs nothing.
"""

from importlib import import_module

TYPE_CHECKING = False  # as `typing` has it, without the import, which costs more than the whole package
if TYPE_CHECKING:
    from hangbot.bot.bot import App, Bot
    from hangbot.bot.events import ChatMessage
    from hangbot.config import Settings
    from hangbot.delivery.lock import exclusive_soon
    from hangbot.delivery.message import Outgoing
    from hangbot.delivery.record import Settlement, Step
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
    from hangbot.preflight import examine, overall

__all__ = [
    "App",
    "Bot",
    "ChatMessage",
    "HangbotError",
    "Outgoing",
    "Settings",
    "Settlement",
    "Step",
    "examine",
    "exclusive_soon",
    "open_bot",
    "open_chat",
    "open_clients",
    "open_gateway",
    "open_outbox",
    "open_room",
    "open_subject",
    "overall",
]

__version__ = "0.1.0"

_HOMES = {
    "App": "bot.bot",
    "Bot": "bot.bot",
    "ChatMessage": "bot.events",
    "HangbotError": "errors",
    "Outgoing": "delivery.message",
    "Settings": "config.settings",
    "Settlement": "delivery.record",
    "Step": "delivery.record",
    "examine": "preflight",
    "exclusive_soon": "delivery.lock",
    "open_bot": "factory",
    "open_chat": "factory",
    "open_clients": "factory",
    "open_gateway": "factory",
    "open_outbox": "factory",
    "open_room": "factory",
    "open_subject": "factory",
    "overall": "preflight.model",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'hangbot' has no attribute {name!r}")
    value = getattr(import_module(f"hangbot.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
