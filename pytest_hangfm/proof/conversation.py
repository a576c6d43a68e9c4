"""People in the room who ask the bot, and what it answers."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.evidence import Line, Probe, text_of
from pytest_hangfm.proof.profile import is_answer

if TYPE_CHECKING:
    from hangbot.sandbox import Actor, Sandbox
    from pytest_hangfm.proof.profile import Profile

__all__ = ["Conversation"]

_PEOPLE: Final = ("prue", "quentin", "ruth")


class Conversation:
    """People in the room who ask the bot, and what it answers.

    Attributes:
        people: Everyone but the bot.
        probes: What the bot was asked since the count began.
    """

    def __init__(self, sandbox: Sandbox, profile: Profile) -> None:
        self.people: list[Actor] = []
        self.probes: list[Probe] = []
        self._sandbox, self._profile = sandbox, profile
        self._base = self._turn = 0
        self._asked: dict[str, float] = {}

    async def gather(self) -> None:
        """Bring people into the room and its chat."""
        for name in _PEOPLE if not self.people else ():
            await self.another(name)

    async def another(self, name: str) -> Actor:
        """Bring one more person into the room and its chat."""
        person = self._sandbox.users.add(name)
        await person.join()
        self.people.append(person)
        return person

    def names(self) -> tuple[str, ...]:
        """Return what the people are called."""
        return tuple(person.nickname for person in self.people)

    async def ask(self) -> int:
        """Let one of them ask what the bot answers, each in turn; return the number of the message."""
        await self.gather()
        person = await self._whose_turn()
        if self._profile.direct_only:
            row = await person.dm(self._sandbox.bot.uid, self._profile.says)
        else:
            row = await person.say(self._profile.says)
        return int(row["id"])

    async def _whose_turn(self) -> Actor:
        self._turn += 1
        if not self._profile.cooldown:
            return self.people[self._turn % len(self.people)]
        now = asyncio.get_running_loop().time()
        rested = [p for p in self.people if now - self._asked.get(p.uid, -inf) > self._profile.cooldown]
        person = rested[0] if rested else await self.another(f"caller{len(self.people)}")
        self._asked[person.uid] = now
        return person

    async def ask_for_the_count(self) -> int:
        """Ask, and count an answer as owed."""
        number = await self.ask()
        self.probes.append(Probe(number, self._sandbox.clock.now_ms()))
        return number

    def begin_count(self) -> None:
        """Let what was asked and answered so far count no longer."""
        self.probes.clear()
        self._base = self.last_id()

    def answers(self) -> list[Line]:
        """Return the bot's answers since the count began."""
        return self.answers_after(self._base)

    def answers_after(self, number: int) -> list[Line]:
        """Return the bot's answers after a message."""
        names = self.names()
        uid = self._sandbox.bot.uid
        return [
            line
            for line in self.lines()
            if line.id > number and line.sender == uid and is_answer(self._profile, line.text, names)
        ]

    def lines(self) -> list[Line]:
        """Return what the chat holds."""
        return [
            Line(int(row["id"]), str(row["sender"]), str(row["receiver"]), text_of(row))
            for row in self._sandbox.messages
            if str(row.get("id", "")).isdecimal()
        ]

    def last_id(self) -> int:
        """Return the number of the newest message."""
        return max((line.id for line in self.lines()), default=0)
