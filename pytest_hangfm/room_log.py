"""What was seen in a room, with waits that are bounded and failures that read as a conversation."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest

from hangbot.text import printable
from pytest_hangfm.transcript import name_in, transcript

if TYPE_CHECKING:
    from hangbot import RoomMessage
    from hangbot.sandbox import Actor, Person, Sandbox
    from pytest_hangfm.process import BotProcess

    Who = Person | Actor | BotProcess | str

__all__ = ["TRANSCRIPT_HEADING", "RoomEvents", "RoomLog"]

TRANSCRIPT_HEADING: Final = "over the wires, in seconds:"
"""The heading of the transcript in a failure."""

_SHOWN: Final = 20
"""Messages, and as many lines of what went over the wires, in a failure."""


class RoomEvents:
    """Keeps the room messages that a client got; pass it as ``on_message``.

    Attributes:
        seen: Every message so far, oldest first.
    """

    def __init__(self) -> None:
        self.seen: list[RoomMessage] = []
        self._next = 0
        self._news = asyncio.Event()

    def __call__(self, message: RoomMessage) -> None:
        """Take a message."""
        self.seen.append(message)
        self._news.set()

    async def expect(self, name: str, *, within: float = 5.0) -> RoomMessage:
        """Return the next message of this name after the last one expected; fail the test without one."""
        __tracebackhide__ = True
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while True:
                    for place, message in enumerate(self.seen[self._next :], self._next):
                        if message.name == name:
                            self._next = place + 1
                            return message
                    self._news.clear()
                    await self._news.wait()
        names = ", ".join(message.name for message in self.seen[self._next :]) or "none"
        pytest.fail(f"no room message {name!r} within {within:g} s; what came instead: {names}")


class RoomLog:
    """What is said in the sandbox's chat."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._expected: set[Any] = set()

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Every text message, oldest first, in the shape of the chat's history."""
        return [row for row in self._sandbox.messages if _text(row) is not None]

    def texts(self, from_: Who | None = None) -> list[str]:
        """Return the texts, of one person where given."""
        uid = _uid(from_)
        return [str(_text(row)) for row in self.messages if uid in {None, _sender(row)}]

    async def expect(
        self, text: str, *, from_: Who | None = None, direct: bool = False, within: float = 5.0
    ) -> dict[str, Any]:
        """Return the bot's next message that holds this text, waiting for it; fail the test without one.

        A message is expected once: the same words a second time mean a second message. What others
        say is not heard unless they are named, so that no test passes on its own words.

        Args:
            text: What it holds.
            from_: Whose it is: a person of the sandbox, a process, or a uid; the bot's, by the token of
                the configuration, where none is given.
            direct: Whether it is a direct message; by default one to the room.
            within: Seconds to wait.
        """
        __tracebackhide__ = True
        uid = _uid(from_) or self._sandbox.bot.uid
        found = await self._wait(text, uid, direct=direct, within=within)
        if found is None:
            how = " as a direct message" if direct else ""
            pytest.fail(
                f"{self._name(uid)} did not say {text!r}{how} within {within:g} s"
                f"{self._near(text, uid, direct=direct)}:\n{self.conversation()}"
            )
        self._expected.add(found["id"])
        return found

    async def expect_silence(
        self, text: str, *, for_: float, from_: Who | None = None, direct: bool = False
    ) -> None:
        """Fail the test when the bot says this within so many seconds, or has said it unexpected before.

        Args:
            text: What must not be said.
            for_: Seconds to listen.
            from_: Who must not say it; the bot by default.
            direct: Whether a direct message is meant; by default one to the room.
        """
        __tracebackhide__ = True
        uid = _uid(from_) or self._sandbox.bot.uid
        found = await self._wait(text, uid, direct=direct, within=for_)
        if found is not None:
            pytest.fail(
                f"{self._name(uid)} said {_text(found)!r}, and was to say nothing with {text!r}:"
                f"\n{self.conversation()}"
            )

    async def _wait(self, text: str, uid: str, *, direct: bool, within: float) -> dict[str, Any] | None:
        if (found := self._find(text, uid, direct=direct)) is None:
            with suppress(TimeoutError):
                journal = self._sandbox.journal
                await journal.wait_for(
                    lambda _: self._find(text, uid, direct=direct) is not None,
                    within=within,
                    since=journal.last_n,
                )
            found = self._find(text, uid, direct=direct)
        return found

    def _near(self, text: str, uid: str, *, direct: bool) -> str:
        """Say who else said it, or how else it was said: most likely that was meant."""
        if self._find(text, uid, direct=not direct):
            return (
                " (it was said in the room)" if direct else " (a direct message holds it: give direct=True)"
            )
        others = [_sender(row) for row in self.messages if text in str(_text(row)) and _sender(row) != uid]
        return f" ({self._name(others[-1])} said it: name them with from_=)" if others else ""

    def conversation(self) -> str:
        """Return what was said, and what went over the wires meanwhile, newest last, as lines."""
        said = [printable(f"  {self._name(_sender(row))}: {_text(row)}") for row in self.messages[-_SHOWN:]]
        done = transcript(self._sandbox)[-_SHOWN:]
        heading = [TRANSCRIPT_HEADING] if done else []
        return "\n".join([*(said or ["  (nobody said anything)"]), *heading, *done])

    def _find(self, text: str, uid: str, *, direct: bool) -> dict[str, Any] | None:
        for row in self.messages:
            if row["id"] in self._expected or _sender(row) != uid or _is_direct(row) != direct:
                continue
            if text in str(_text(row)):
                return row
        return None

    def _name(self, uid: str | None) -> str:
        return name_in(self._sandbox, uid) if uid else str(uid)


def _uid(who: Who | None) -> str | None:
    return who if who is None or isinstance(who, str) else who.uid


def _sender(row: dict[str, Any]) -> str | None:
    sender = row.get("sender")
    return sender if sender is None else str(sender)


def _is_direct(row: dict[str, Any]) -> bool:
    return row.get("receiverType") == "user"


def _text(row: dict[str, Any]) -> str | None:
    data = row.get("data")
    text = data.get("text") if isinstance(data, dict) else None
    return None if text is None else str(text)
