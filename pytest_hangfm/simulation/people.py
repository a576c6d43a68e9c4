"""The other users of a simulated room: they talk, vote, play songs, come and go."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from hangbot.sandbox import ActionRefused, Actor, ChatRefusal, Sandbox

__all__ = ["People"]


class People:
    """Users of the bot's room, by chance.

    Args:
        sandbox: Where they are.
        random: Their randomness.
        count: How many.
        pace: Seconds between two things that they do, in the mean.

    Attributes:
        quiet: While it is held, they say nothing.
    """

    def __init__(self, sandbox: Sandbox, random: Random, count: int, pace: float) -> None:
        self._sandbox = sandbox
        self._random = random
        self._pace = pace
        self._users = [sandbox.users.add(f"user {number}") for number in range(count)]
        self._inside: set[str] = set()
        self._lines = 0
        self.quiet = asyncio.Lock()
        acts: tuple[tuple[Callable[[], Awaitable[None]], int], ...] = (
            (self.ask, 6),
            (self.ask_alone, 3),
            (self._chat, 2),
            (self._vote, 3),
            (self._queue, 2),
            (self._come_or_go, 1),
        )
        self._acts = [act for act, weight in acts for _ in range(weight)]

    async def enter(self) -> None:
        """Bring everyone into the room who is not there, and the first one to the decks."""
        for user in self._users:
            if user.uid not in self._inside or user.uid not in self._sandbox.room:
                self._inside.add(user.uid)
                await user.join()
        if self._users:
            await self._try(self._users[0].dj(self._song()))

    async def talk(self, until: float) -> None:
        """Do one thing after the other until then, in the loop's time."""
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            await asyncio.sleep(self._random.expovariate(1 / self._pace))
            if self._users:
                async with self.quiet:
                    await self._try(self._random.choice(self._acts)())

    async def ask(self) -> None:
        """Ask the bot something in the room."""
        await self._one().say(self._question())

    async def ask_alone(self) -> None:
        """Ask the bot something that no other user reads."""
        await self._one().dm(self._sandbox.bot.uid, self._question())

    async def flood(self, lines: int) -> None:
        """Say many lines at once."""
        user = self._one()
        async with self.quiet:
            for _ in range(lines):
                await user.say(self._question())

    async def praise(self) -> None:
        """Praise what plays: the bot votes."""
        self._lines += 1
        async with self.quiet:
            await self._one().say(f"nice {self._lines}")

    async def hostile(self, text: str) -> None:
        """Say something that is hard to read."""
        async with self.quiet:
            await self._try(self._one().say(text))

    async def edit_and_delete(self) -> list[int]:
        """Say two lines, then change the first and take back the second; return their numbers."""
        user = self._one()
        async with self.quiet:
            numbers = [int((await user.say(f"wait, {word}"))["id"]) for word in ("what", "no")]
            await asyncio.sleep(self._random.expovariate(1.0))
            await user.edit(numbers[0], "ask nothing")
            await user.delete(numbers[1])
        return numbers

    async def silence(self) -> bool:
        """End the song without a word of it, or one that is begun for that; ``False``: none plays."""
        for user in self._users:
            try:
                await self._sandbox.silence()
            except ActionRefused:
                self._inside.add(user.uid)
                await self._try(user.join())
                await self._try(user.dj(self._song()))
            else:
                return True
        return False

    def _one(self) -> Actor:
        return self._random.choice(self._users)

    def _question(self) -> str:
        self._lines += 1
        return f"ask {self._lines}"

    async def _chat(self) -> None:
        self._lines += 1
        await self._one().say(
            f"{self._random.choice(('nice', 'hello @hangbot', 'lol 🎵', '/skip'))} {self._lines}"
        )

    async def _vote(self) -> None:
        if self._sandbox.state["nowPlaying"]:
            await self._one().vote(like=self._random.choice((True, False)))

    async def _queue(self) -> None:
        await self._one().dj(self._song())

    async def _come_or_go(self) -> None:
        user = self._one()
        if user.uid in self._inside and len(self._inside) > 1:
            self._inside.discard(user.uid)
            await user.leave()
        else:
            self._inside.add(user.uid)
            await user.join()

    async def _try(self, act: Awaitable[object]) -> None:
        """Do what the room may refuse: a vote of the DJ, a second place in the line."""
        try:
            await act
        except (ActionRefused, ChatRefusal):
            return

    def _song(self) -> dict[str, Any]:
        number = self._random.randrange(1000)
        return {
            "trackName": f"Song {number}",
            "artistName": "Ann",
            "duration": self._random.randrange(20, 90),
            "musicProviders": {"youtube": f"song-{number}"},
        }
