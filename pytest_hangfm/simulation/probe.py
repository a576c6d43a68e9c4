"""The app of a simulated bot where the author brings none, and the moods that faults put it in."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Final

from hangbot import Bot, ChatMessage, Event, HangbotError, SongStarted
from pytest_hangfm.simulation.faults.kind import Effect

__all__ = ["Moods", "Probe"]

_LONG: Final = 3600.0
_MUCH: Final = 30
_SLOW_EVERY: Final = 7
_TWICE_EVERY: Final = 5


class MoodError(Exception):
    """A handler failed on purpose."""


class Moods:
    """How the next handlers are to behave: ``raise``, ``hang``, or talk much (``flood``)."""

    def __init__(self) -> None:
        self._next: list[str] = []
        self._hits = Counter[str]()

    def take(self, mood: str, times: int) -> Effect:
        """Have the next calls be in a mood."""
        self._next += [mood] * times
        before = self._hits[mood]

        def end() -> None:
            self._next = [other for other in self._next if other != mood]

        return Effect(lambda: self._hits[mood] - before, end)

    def pop(self) -> str:
        """Return the mood of a call that begins; empty: none."""
        mood = self._next.pop(0) if self._next else ""
        self._hits[mood] += 1
        return mood


class Probe:
    """Answers each line that asks, votes on each song and where it is praised; some of it takes a while."""

    def __init__(self, moods: Moods) -> None:
        self._moods = moods

    async def on_message(self, bot: Bot, message: ChatMessage) -> None:
        """Answer ``ask N`` with ``re ask N``, now and then with two lines; in a mood with many more."""
        mood = self._moods.pop()
        if mood == "raise":
            raise MoodError("on purpose")
        if mood == "hang":
            await asyncio.sleep(_LONG)
        await self._answer(bot, message)
        if mood == "flood":  # behind what is said in any mood: answers to a line count from the first
            for number in range(_MUCH):
                await bot.say(f"talk {number} about {message.id}")

    async def _answer(self, bot: Bot, message: ChatMessage) -> None:
        text = message.text or ""
        word, _, asked = text.partition(" ")
        if word == "nice":
            await self._vote(bot)
        if word != "ask" or not asked.isdigit():
            return
        if int(asked) % _SLOW_EVERY == 0:
            await asyncio.sleep(1.5)
        await message.reply(f"re {text}")
        if int(asked) % _TWICE_EVERY == 0:
            await message.reply(f"re {text} again")

    async def on_event(self, bot: Bot, event: Event) -> None:
        """Vote on what begins to play."""
        if isinstance(event, SongStarted):
            await self._vote(bot)

    async def _vote(self, bot: Bot) -> None:
        with suppress(HangbotError):  # the bot may be out of the room: the checker judges that
            await bot.act("voteOnSong", songVotes={"like": True})
