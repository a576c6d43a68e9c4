"""What a stage test did on a live target is taken back when it ends, however it ends.

Over connections of its own: those of the test may be what failed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from hangbot import open_chat, open_room
from hangbot.errors import NotFound, Refused, ServiceError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from hangbot import Bot, ChatClient, ChatMessage, Outgoing, Settings, Settlement

__all__ = ["Undo"]

_WITHIN: Final = 30.0
"""Seconds for all of it."""


class Undo:
    """Remembers what others see of a test: the messages of its clients, and that the bot is on stage."""

    def __init__(self) -> None:
        self._messages: dict[str, str | None] = {}
        """By their own id, each with the server's id once an answer brought it."""
        self._on_stage = False

    def follow_chat(self, chat: ChatClient) -> None:
        """Remember what this client sends, before it is sent: its answer may be lost."""
        send = chat.send

        async def followed(message: Outgoing) -> ChatMessage | None:
            self._messages.setdefault(message.id, None)
            sent = await send(message)
            if sent is not None:
                self._messages[message.id] = str(sent.id)
            return sent

        chat.send = followed  # type: ignore[method-assign]  # this one client's, on purpose

    def follow_bot(self, bot: Bot) -> None:
        """Remember what this bot sends, and whether it goes on stage; its room connections come and go."""
        self.follow_chat(cast("ChatClient", bot.chat))
        act = bot.act

        def followed(action: str, **params: object) -> Coroutine[Any, Any, Settlement]:
            self.note_action(action)
            return act(action, **params)

        bot.act = followed  # type: ignore[method-assign]  # this one bot's, on purpose

    def note_action(self, action: str) -> None:
        """Remember whether an action puts the bot on stage: a guard of `hangbot.open_room`."""
        if action == "addDj":
            self._on_stage = True

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
                with suppress(Refused):  # the test has done it, or another user
                    await room.act("removeDj")
        return []

    async def _delete_messages(self, settings: Settings) -> list[str]:
        left: list[str] = []
        if self._messages:
            async with open_chat(settings) as chat:
                await chat.join()  # only a member of the group may look its own messages up
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
