"""Counts what a test's plain clients do, for the summary of its stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hangbot.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hangbot import ChatClient, ChatMessage, Outgoing, RoomClient

__all__ = ["Exchanges", "counted_chat", "counted_room"]


@dataclass(slots=True)
class Exchanges:
    """What a client did without delivery: each is acknowledged at once, or refused."""

    acknowledged: int = 0
    refused: int = 0


def counted_room(room: RoomClient, exchanges: Exchanges) -> RoomClient:
    """Count the actions of a room connection, but for the join."""
    act = room.act

    async def counted(action: str, **params: object) -> Mapping[str, Any]:
        if action == "joinRoom":
            return await act(action, **params)
        try:
            fields = await act(action, **params)
        except ServiceError:
            exchanges.refused += 1
            raise
        exchanges.acknowledged += 1
        return fields

    room.act = counted  # type: ignore[method-assign]  # this one connection's, on purpose
    return room


def counted_chat(chat: ChatClient, exchanges: Exchanges) -> ChatClient:
    """Count the messages of a chat client."""
    send = chat.send

    async def counted(message: Outgoing) -> ChatMessage | None:
        try:
            sent = await send(message)
        except ServiceError:
            exchanges.refused += 1
            raise
        exchanges.acknowledged += 1
        return sent

    chat.send = counted  # type: ignore[method-assign]  # this one client's, on purpose
    return chat
