"""Preflight: one question a function, each answered in words or with an error that has a remedy.

`hangbot run`, `hangbot preflight` and the tests in ``checks/`` ask the same functions. Nothing
here changes what others can see, but that the bot joins its room and its chat group, which
counts as reading; and the canary, which only the plugin asks for.

The order separates the causes: what is asked later needs what was asked before, and is skipped
where that failed.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from hangbot.errors import ConfigError
from hangbot.preflight.canary import canary_message
from hangbot.preflight.chat import (
    chat_group,
    chat_history,
    chat_member,
    chat_server,
    chat_token,
    chat_uid,
)
from hangbot.preflight.configuration import configuration, gateway_token, outbox_writable, token_expiry
from hangbot.preflight.model import (
    Finding,
    Overall,
    Question,
    Result,
    Service,
    Subject,
    Verdict,
    answer,
    blocked,
    exit_code,
    overall,
    result_of,
)
from hangbot.preflight.probe import chat_reach, gateway_reach, room_reach
from hangbot.preflight.protocol import protocol_drift
from hangbot.preflight.room import (
    clock_offset,
    room_connect,
    room_heartbeat,
    room_joined,
    room_token_name,
)
from hangbot.preflight.storage import files_safe, former_outbox

__all__ = [
    "CANARY",
    "QUESTIONS",
    "Finding",
    "Overall",
    "Question",
    "Result",
    "Service",
    "Subject",
    "Verdict",
    "answer",
    "blocked",
    "canary_message",
    "chat_group",
    "chat_history",
    "chat_member",
    "chat_reach",
    "chat_server",
    "chat_token",
    "chat_uid",
    "clock_offset",
    "configuration",
    "examine",
    "exit_code",
    "files_safe",
    "former_outbox",
    "gateway_reach",
    "gateway_token",
    "outbox_writable",
    "overall",
    "protocol_drift",
    "result_of",
    "room_connect",
    "room_heartbeat",
    "room_joined",
    "room_reach",
    "token_expiry",
    "unasked",
]

QUESTIONS: Final[Sequence[Question]] = (
    Question("config", "Configuration is complete", configuration),
    Question("token.expiry", "Bot token is not about to expire", token_expiry, ("config",)),
    Question("gateway.reach", "Gateway can be reached", gateway_reach, ("config",)),
    Question(
        "gateway.token",
        "Gateway accepts the bot token",
        gateway_token,
        ("config", "token.expiry", "gateway.reach"),
    ),
    Question("chat.reach", "Chat can be reached", chat_reach, ("config",)),
    Question("chat.server", "Chat host is a chat server", chat_server, ("chat.reach",)),
    Question("chat.token", "Chat token is accepted", chat_token, ("chat.server", "gateway.token")),
    Question("chat.uid", "Chat token is the bot's own", chat_uid, ("chat.token",)),
    Question("chat.group", "Chat group exists", chat_group, ("chat.token",)),
    Question("chat.member", "Bot is in the chat group", chat_member, ("chat.group",)),
    Question("chat.history", "Chat history is readable", chat_history, ("chat.member",)),
    Question("room.reach", "Room socket can be reached", room_reach, ("config",)),
    Question("room.connect", "Room socket connects", room_connect, ("room.reach",), room_token_name),
    Question("room.heartbeat", "Room socket has a heartbeat", room_heartbeat, ("room.connect",)),
    Question("room.joined", "Bot is in the room", room_joined, ("room.connect",), lambda _: ("ROOM_UUID",)),
    Question("clock", "Clock agrees with the server", clock_offset, ("room.joined",)),
    Question("drift", "Services speak as hangbot knows them", protocol_drift, ("room.joined",)),
    Question("outbox", "Outbox is writable", outbox_writable, ("config",)),
    Question("files", "Files are private and in a lasting place", files_safe, ("config",)),
)
"""What `hangbot preflight` asks, in this order."""

CANARY: Final = Question("canary", "A message arrives", canary_message, ("chat.history",))
"""What the plugin asks besides where writing is allowed."""


def unasked(error: ConfigError) -> list[Result]:
    """Return what there is to say where the configuration cannot be used: one rejection, the rest skipped."""
    results: list[Result] = []
    for question in QUESTIONS:
        results.append(blocked(question, results) or result_of(question, error))
    return results


async def examine(subject: Subject) -> AsyncIterator[Result]:
    """Ask every question in order and yield each result as it comes."""
    results: list[Result] = []
    for question in QUESTIONS:
        result = await answer(question, subject, results)
        results.append(result)
        yield result
