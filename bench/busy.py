"""A busy room: songs, votes, lines, people who come and go; the same for all who are measured."""

import asyncio
import random
from typing import Final

from hangbot.sandbox import Actor, Room, Sandbox

__all__ = ["MIX", "BusyRoom"]

MIX: Final = {
    "votes": 110,
    "lines": 59,
    "lines that are answered": 6,
    "people who come or go": 24,
    "songs": 1,
}
"""How many of two hundred things that happen are what."""

_MOST: Final = 300
_TALKERS: Final = 20
_GUESTS: Final = 40
_DJS: Final = 4
_ANSWERED_WITHIN: Final = 60.0
_LOOK_EVERY: Final = 0.01
_CALM: Final = 0.2
"""Seconds after the last answer until the bot has nothing more to do."""


class BusyRoom:
    """A room in which one thing happens after the other.

    Args:
        sandbox: Its sandbox.
        room: The room; the crowd in it votes, and one of it plays.
    """

    def __init__(self, sandbox: Sandbox, room: Room) -> None:
        self._sandbox = sandbox
        self._room = room
        self._crowd = [sandbox.users.get(each["uuid"]) for each in room.state["allUsers"]]
        self._djs = [sandbox.users.get(each["uuid"]) for each in room.state["djs"]]
        self._outside = [sandbox.users.add(f"guest {number}") for number in range(_GUESTS)]
        self._inside: list[Actor] = []
        self._talkers: list[Actor] = []
        self._asked: set[str] = set()

    async def open(self) -> None:
        """Let those who talk and play come."""
        self._room.moderation.update_settings({"roomSize": _MOST})
        for number in range(_TALKERS):
            self._talkers.append(self._sandbox.users.add(f"talker {number}"))
            await self._talkers[-1].join(self._room)
        for each in self._talkers[:_DJS]:
            await each.dj(room=self._room)
        self._djs += self._talkers[:_DJS]

    async def happen(self, number: int, seed: int, rate: float) -> float:
        """Let so much happen; return how many seconds it went on for.

        Args:
            number: How many things.
            seed: Of their order, and of who does them.
            rate: How many a second.
        """
        rng, loop = random.Random(seed), asyncio.get_running_loop()  # noqa: S311  the same for all, no secret
        kinds = [kind for kind, share in MIX.items() for _ in range(number * share // sum(MIX.values()))]
        rng.shuffle(kinds)
        began = loop.time()
        for at, kind in enumerate(kinds):
            if (early := began + at / rate - loop.time()) > 0:
                await asyncio.sleep(early)
            await self._happen(kind, rng, f"{seed}-{at}")
        self._look()
        return loop.time() - began

    async def settled(self) -> None:
        """Wait until all that was asked is answered, and a moment more."""
        async with asyncio.timeout(_ANSWERED_WITHIN):
            while self._asked:
                await asyncio.sleep(_LOOK_EVERY)
                self._look()
        await asyncio.sleep(_CALM)

    def _look(self) -> None:
        """See what was answered; often enough, since a conversation keeps a thousand messages."""
        if self._asked:
            answers = {message["data"].get("text") for message in self._sandbox.messages}
            self._asked.difference_update(answers)

    async def _happen(self, kind: str, rng: random.Random, name: str) -> None:
        room = self._room
        match kind:
            case "votes":
                await rng.choice(self._crowd).vote(like=rng.random() < 0.8, room=room)  # noqa: PLR2004  most like it
            case "lines":
                await rng.choice(self._talkers).say(f"what a song, the best of them so far {name}", room)
            case "lines that are answered":
                self._asked.add(f"re ask {name}")
                await rng.choice(self._talkers).say(f"ask {name}", room)
            case "songs":
                for dj in self._djs:
                    await dj.next_song(room=room)
                await self._sandbox.next_song(room)
            case "people who come or go":
                await self._through_the_door(rng)
            case _:
                raise ValueError(f"no such thing: {kind}")

    async def _through_the_door(self, rng: random.Random) -> None:
        comes = not self._inside or (bool(self._outside) and rng.random() < 0.5)  # noqa: PLR2004  as often as goes
        there, then = (self._outside, self._inside) if comes else (self._inside, self._outside)
        who = there.pop(rng.randrange(len(there)))
        then.append(who)
        await (who.join if comes else who.leave)(self._room)
