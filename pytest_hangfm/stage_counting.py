"""Counts what a test's plain clients do, for the summary of its stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hangbot.errors import ServiceError
from pytest_hangfm.stage_summary import Exchanges
from pytest_hangfm.stash import EXCHANGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from hangbot import ChatClient, ChatMessage, Outgoing, RoomClient

__all__ = ["counted_chat", "counted_room"]


def counted_room(room: RoomClient, item: pytest.Item) -> RoomClient:
    """Count the actions of a room connection, but for the join."""
    act, exchanges = room.act, _of(item)

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


def counted_chat(chat: ChatClient, item: pytest.Item) -> ChatClient:
    """Count the messages of a chat client."""
    send, exchanges = chat.send, _of(item)

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


def _of(item: pytest.Item) -> Exchanges:
    return item.stash.setdefault(EXCHANGES, Exchanges())
