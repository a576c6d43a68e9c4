"""The one place that opens anything: clients, room connections, outboxes, the bot.

Each ``open_…`` is an async context manager that closes what it opened, on every path.
"""

from hangbot.factory.bot import make_courier, open_bot
from hangbot.factory.clients import Clients, open_chat, open_clients, open_gateway
from hangbot.factory.outbox import open_fleet, open_outbox, open_owned_outbox
from hangbot.factory.room import open_room
from hangbot.factory.subject import open_subject

__all__ = [
    "Clients",
    "make_courier",
    "open_bot",
    "open_chat",
    "open_clients",
    "open_fleet",
    "open_gateway",
    "open_outbox",
    "open_owned_outbox",
    "open_room",
    "open_subject",
]
