"""People in the room who ask the bot, and what it answers."""

from __future__ import annotations

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

    async def gather(self) -> None:
        """Bring people into the room and its chat."""
        for name in _PEOPLE if not self.people else ():
            person = self._sandbox.users.add(name)
            await person.join()
            self.people.append(person)

    async def ask(self) -> int:
        """Let one of them ask what the bot answers, each in turn; return the number of the message."""
        await self.gather()
        self._turn += 1
        row = await self.people[self._turn % len(self.people)].say(self._profile.says)
        return int(row["id"])

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
        names = tuple(person.nickname for person in self.people)
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
