"""What a stage test did on a live target is taken back when it ends, however it ends.

Over connections of its own: those of the test may be what failed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

from hangbot.errors import NotFound, Refused, ServiceError
from hangbot.factory import open_chat, open_room

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from hangbot.bot.bot import Bot
    from hangbot.config import Settings
    from hangbot.hangfm.chat import ChatClient
    from hangbot.hangfm.room import RoomClient

__all__ = ["Undo"]

T = TypeVar("T")

_WITHIN: Final = 30.0
"""Seconds for all of it."""


class Undo:
    """Remembers what others see of a test: the messages of its clients, and that the bot is on stage."""

    def __init__(self) -> None:
        self._messages: dict[str, str | None] = {}
        """By their own id: the server's, where an answer told it."""
        self._on_stage = False

    def follow_chat(self, chat: ChatClient) -> None:
        """Remember what this client sends, before it is sent: its answer may be lost."""
        call = chat.call

        async def followed(method: str, path: str, **more: Any) -> object:  # noqa: ANN401  as the original
            if (method, path) != ("POST", "/messages"):
                return await call(method, path, **more)
            muid = more["body"]["muid"]
            self._messages.setdefault(muid, None)
            row = await call(method, path, **more)
            self._messages[muid] = _number(row)
            return row

        chat.call = followed  # type: ignore[method-assign]  # this one client's, on purpose

    def follow_room(self, room: RoomClient) -> None:
        """Remember whether this connection puts the bot on stage."""
        room.act = self._followed(room.act)  # type: ignore[method-assign]  # this one connection's, on purpose

    def follow_bot(self, bot: Bot) -> None:
        """Remember both of a bot, whose connections come and go."""
        self.follow_chat(bot.chat)
        bot.act = self._followed(bot.act)  # type: ignore[method-assign]  # this one bot's, on purpose

    def _followed(self, act: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., Coroutine[Any, Any, T]]:
        async def followed(action: str, **params: object) -> T:
            if action == "addDj":
                self._on_stage = True
            return await act(action, **params)

        return followed

    async def take_back(self, settings: Settings) -> list[str]:
        """Take back what was remembered, and return what could not be."""
        left: list[str] = []
        for undo in (self._leave_stage, self._delete_messages):
            try:
                async with asyncio.timeout(_WITHIN):
                    left += await undo(settings)
            except (ServiceError, TimeoutError) as exc:
                left.append(str(exc) or f"no end within {_WITHIN:g} s")
        return left

    async def _leave_stage(self, settings: Settings) -> list[str]:
        if self._on_stage:
            async with open_room(settings, on_message=lambda _: None) as room:
                await room.welcome(settings.welcome_timeout)
                await room.join()
                with suppress(Refused):  # the test did it, or somebody else
                    await room.act("removeDj")
        return []

    async def _delete_messages(self, settings: Settings) -> list[str]:
        left: list[str] = []
        if self._messages:
            async with open_chat(settings) as chat:
                await chat.join()  # who is out of the group may not look his own messages up
                for muid, number in self._messages.items():
                    try:
                        await _delete(chat, muid, number)
                    except ServiceError as exc:
                        left.append(str(exc))
        return left


async def _delete(chat: ChatClient, muid: str, number: str | None) -> None:
    if number is None:
        try:
            row = await chat.call("GET", f"/user/messages/{quote(muid, safe='')}", what=f"for message {muid}")
        except NotFound:
            return  # it never arrived
        number = _number(row)
    what = f"deleting message {muid}"
    await chat.call("DELETE", f"/messages/{quote(str(number), safe='')}", what=what)


def _number(row: object) -> str | None:
    number = row.get("id") if isinstance(row, dict) else None
    return None if number is None else str(number)
