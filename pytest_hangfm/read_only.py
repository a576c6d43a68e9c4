"""What keeps a live target from seeing more than that the bot joined, unless that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hangbot.hangfm.chat import ChatClient
    from hangbot.hangfm.room import RoomClient

__all__ = ["NEEDS_WRITES", "only_reads_chat", "only_reads_room"]

NEEDS_WRITES: Final = "others would see it on a live target: give --hangfm-live-writes where that is meant"


def only_reads_chat(chat: ChatClient) -> ChatClient:
    """Skip the test at the first request that others would see; joining is no such."""
    call = chat.call

    async def guarded(method: str, path: str, **more: Any) -> object:  # noqa: ANN401  as the original
        if method != "GET" and not (method == "POST" and path.endswith("/members")):
            pytest.skip(f"{method} {path}: {NEEDS_WRITES}")
        return await call(method, path, **more)

    chat.call = guarded  # type: ignore[method-assign]  # this one client's, on purpose
    return chat


def only_reads_room(room: RoomClient) -> RoomClient:
    """Skip the test at the first room action that others would see; joining is no such."""
    act = room.act

    async def guarded(action: str, **params: object) -> Mapping[str, Any]:
        if action != "joinRoom":
            pytest.skip(f"{action}: {NEEDS_WRITES}")
        return await act(action, **params)

    room.act = guarded  # type: ignore[method-assign]  # this one connection's, on purpose
    return room
