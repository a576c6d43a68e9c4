"""Hours of a full room on the six examples in one bot, in a simulated world; and what is left of them."""

import asyncio
import copy
import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from itertools import takewhile
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import auto_dj
import greeter
import httpx
import moderator
import song_stats
import trivia
import webhook

from hangbot import App
from hangbot.sandbox import ActionRefused, Actor, ChatRefusal, Sandbox
from pytest_hangfm.simulation.faults import FAULTS
from pytest_hangfm.simulation.faults.app import OF_THE_PROBE
from pytest_hangfm.simulation.history import History
from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.world import World, play

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Evening", "Plays", "spend"]

APPS: Final = (auto_dj, greeter, moderator, song_stats, trivia, webhook)
_CALM: Final = 1_800.0
"""Seconds at the end in which nobody does anything and nothing goes wrong."""
_LONGEST_FAULT: Final = 120.0
_SONGS: Final = 40
_CHAT: Final = ("nice", "lol 🎵", "hello @hangbot", "/none", "what a song")
_QUESTIONS: Final = ("/scores", "/song", "/queue", "/help", "/uptime", "/ban guest 1")
_ORDERS: Final = ("/ban {0} loud", "/ban {0}", "/unban {0}", "/kick {0}", "/slow 5", "/slow 0")


class Side(NamedTuple):
    """How the room is on one side: who is there, who is a DJ, whether a song plays, its likes."""

    users: set[str]
    djs: list[str]
    plays: bool
    likes: int


@dataclass(slots=True)
class Evening:
    """What is left of it.

    Attributes:
        history: What happened, for the rules.
        acts: How often people did what.
        kept: What the apps keep, by space and key.
        timers: What is still to be called, by handlers.
        server: The room as the server has it.
        seen: The same as the bot has it.
        played: Songs that began to play, by title.
        said: All that the bot has written to say, in order: a crash may come before it could tell of it.
        reported: Songs that the webhook was given, by title.
    """

    acts: Counter[str] = field(default_factory=Counter)
    kept: dict[tuple[str, str], Any] = field(default_factory=dict)
    timers: list[str] = field(default_factory=list)
    server: "Side | None" = None
    seen: "Side | None" = None
    played: Counter[str] = field(default_factory=Counter)
    reported: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)
    history: History = field(default_factory=lambda: History(()))

    def of_app(self, app: str, part: str = "") -> dict[str, Any]:
        """Return what an app keeps in the room, or in a part of that."""
        return {
            key: value
            for (space, key), value in self.kept.items()
            if space.startswith(f"{app}/room/") and space.partition("/room/")[2].partition("/")[2] == part
        }


def spend(seed: int, hours: float, users: int, pace: float) -> Evening:
    """Spend an evening; the same seed is the same evening."""
    evening, random = Evening(), Random(f"evening {seed}")  # noqa: S311  to be repeatable
    seconds = hours * 3600
    faults = tuple(_fault(random, minute * 60.0) for minute in range(1, int((seconds - _CALM) // 60)))
    plan = Plan(seed, seconds=seconds, users=3, pace=30.0, faults=faults)

    async def visit(world: World) -> None:
        webhook.post = _Hook(world, evening, random)
        crowd = _Crowd(world, evening, random, users, pace)
        hearing = asyncio.create_task(crowd.hear_songs())
        await crowd.stay(seconds - _CALM)
        await asyncio.sleep(_CALM / 2)
        await crowd.end()
        await asyncio.sleep(_CALM / 2 - 60)
        hearing.cancel()
        _look(world, evening)

    post = webhook.post
    try:
        evening.history = play(plan, visit=visit)
    finally:
        webhook.post = post
    return evening


def all_examples() -> App:
    """Return a bot of all six."""
    app = App("all")
    for each in APPS:
        app.include(each.app)
    return app


def _fault(random: Random, minute: float) -> Fault:
    kinds = [kind for kind in FAULTS.values() if kind.name not in OF_THE_PROBE]
    (kind,) = random.choices(kinds, [kind.weight for kind in kinds])
    shortest, longest = kind.lasts
    lasts = random.uniform(shortest, min(longest, max(_LONGEST_FAULT, shortest)))
    return Fault(kind.name, round(minute + random.uniform(0, 60), 2), round(lasts, 2), kind.draw(random))


class Plays:
    """The songs that began to play, by the server's own list: one may be over before anybody looks."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._recent = sandbox.room.stage.recent_songs
        self._last: object = None

    def new(self) -> list[str]:
        """Return the titles since the last time, the newest first; it is to be called now and then."""
        new = list(takewhile(lambda play: play is not self._last, self._recent))
        self._last = next(iter(self._recent), None)
        return [play["song"]["trackName"] for play in new]


class _Hook:
    """A webhook that is down now and then, and once in a while takes what it says it has not."""

    def __init__(self, world: World, evening: Evening, random: Random) -> None:
        self._world, self._evening, self._random = world, evening, random

    async def __call__(self, report: dict[str, str | None]) -> None:
        await asyncio.sleep(self._random.random())
        if self._random.random() < 0.2:
            raise httpx.ConnectError("down")
        self._evening.reported[report["title"] or ""] += 1


class _Crowd:
    """Users who chat, vote, play songs, come and leave; one of them is a moderator."""

    def __init__(self, world: World, evening: Evening, random: Random, users: int, pace: float) -> None:
        self._world, self._evening, self._random, self._pace = world, evening, random, pace
        add = world.sandbox.users.add
        self._mod = add("mod", "moderator")
        self._users = [add(f"guest {number}") for number in range(users)]
        self._acts: list[tuple[Callable[[], Awaitable[object]], float]] = [
            (self._chat, 5),
            (self._vote, 4),
            (self._play, 2),
            (self._step_down, 1),
            (self._come, 2),
            (self._leave, 1.5),
            (self._quiz, 1.5),
            (self._guess, 3),
            (self._ask, 1),
            (self._moderate, 0.4),
        ]

    async def stay(self, until: float) -> None:
        """Be there until then."""
        world = self._world
        for user in self._users:
            await user.join()
        await self._set_up()
        world.keeper.begin(lambda: copy.deepcopy(all_examples()))
        acts, weights = zip(*self._acts, strict=True)
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            await asyncio.sleep(self._random.expovariate(1 / self._pace))
            (act,) = self._random.choices(acts, weights)
            async with world.people.quiet:
                try:
                    await act()
                except (ActionRefused, ChatRefusal):
                    self._evening.acts["refused"] += 1
                else:
                    self._evening.acts[act.__name__.strip("_")] += 1

    async def end(self) -> None:
        """Have the moderator come once more, when nothing goes wrong any more."""
        await self._mod.leave()
        await self._set_up()

    async def _set_up(self) -> None:
        """Bring the moderator in, and give the bot its role again, which a reset of the room takes."""
        room = self._world.sandbox.room
        if self._mod.uid not in room:
            await self._mod.join()
        if room.roles.get(self._world.sandbox.bot.uid) != "moderator":
            self._world.sandbox.users.set_role(self._world.sandbox.bot.uid, "moderator")

    async def hear_songs(self) -> None:
        """Note each song that begins to play, as the server has it, until it is cancelled."""
        plays = Plays(self._world.sandbox)
        while True:
            self._evening.played.update(plays.new())
            await asyncio.sleep(1.0)

    def _one(self) -> Actor:
        here = self._world.sandbox.room
        return self._random.choice([user for user in self._users if user.uid in here] or [self._mod])

    async def _chat(self) -> None:
        await self._one().say(self._random.choice(_CHAT))

    async def _vote(self) -> None:
        await self._one().vote(like=self._random.random() < 0.8)

    async def _play(self) -> None:
        number = self._random.randrange(_SONGS)
        song = {"songId": f"s{number}", "artistName": "Ann", "trackName": f"Song {number}"}
        await self._one().dj({**song, "duration": self._random.randrange(30, 240)})

    async def _step_down(self) -> None:
        djs = self._world.sandbox.room.state["djs"]
        others = [dj["uuid"] for dj in djs if dj["uuid"] != self._world.sandbox.bot.uid]
        if others:
            await self._world.sandbox.users.get(self._random.choice(others)).step_down()

    async def _come(self) -> None:
        here = self._world.sandbox.room
        away = [user for user in self._users if user.uid not in here]
        for user in self._random.sample(away, min(len(away), 1 + len(away) // 5)):  # many after a reset
            await user.join()

    async def _leave(self) -> None:
        user = self._one()
        if user is not self._mod:
            await user.leave()

    async def _quiz(self) -> None:
        await self._one().say("/trivia")

    async def _guess(self) -> None:
        await self._one().say(self._random.choice(trivia.QUESTIONS)[1])

    async def _ask(self) -> None:
        await self._one().say(self._random.choice(_QUESTIONS))

    async def _moderate(self) -> None:
        await self._set_up()
        name = self._random.choice(self._users).nickname
        await self._mod.say(self._random.choice(_ORDERS).format(name))


def _look(world: World, evening: Evening) -> None:
    """Note how it is on both sides."""
    state, bot, room = world.sandbox.state, world.keeper.bot, world.sandbox.room
    plays = state["nowPlaying"]
    users = {person.uid for person in world.sandbox.people if person.uid in room}
    djs = [dj["uuid"] for dj in state["djs"]]
    evening.server = Side(users, djs, bool(plays), state["voteCounts"]["likes"])
    if bot is not None and (here := bot.facts.snapshot()):
        mine = {user.uuid for user in here.users}
        evening.seen = Side(mine, list(here.djs), here.song is not None, here.votes.likes)
    with closing(sqlite3.connect(world.keeper.settings.outbox)) as database:
        for space, key, value in database.execute("SELECT space, key, value FROM kept"):
            evening.kept[space, key] = json.loads(value)
        evening.said = [row[0] for row in database.execute("SELECT text FROM message ORDER BY seq")]
        evening.timers = [row[0] for row in database.execute("SELECT what FROM timer")]
