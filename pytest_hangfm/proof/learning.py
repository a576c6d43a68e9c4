"""Finding out what a bot does: it is started once, spoken to, and watched."""

from __future__ import annotations

import asyncio
import functools
import itertools
import uuid
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from pytest_hangfm.proof.bot_process import Home
from pytest_hangfm.proof.listening import health_path, listening_ports
from pytest_hangfm.proof.looks import free_port
from pytest_hangfm.proof.play import Play
from pytest_hangfm.proof.probing import Prober
from pytest_hangfm.proof.profile import Profile
from pytest_hangfm.proof.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hangbot.sandbox import Actor
    from pytest_hangfm.proof.bot_process import BotProgram
    from pytest_hangfm.proof.evidence import Evidence

__all__ = ["Learnt", "learn"]

_LONGEST: Final = 55.0
_LONGEST_DIRECT: Final = 15.0
_CROWD: Final = (
    "adelheid", "bertrand", "clothilde", "dietmar", "eleanora", "ferdinand", "gwendolen", "hildegard",
    "ingeborg", "jacqueline", "kunigunde", "leopoldine", "margarete", "nikodemus", "ottokar", "perpetua",
    "quirinus", "rosalinde", "sigismund", "theodora", "ulrike", "valentino", "wilhelmina", "xaverius",
    "yolanda", "zacharias",
)  # fmt: skip
"""So many that few have to speak twice: a bot may answer each person seldom, or greet who speaks first.

None of the names is part of a usual word: they count for nothing where answers are compared.
"""
_GREETED_WITHIN: Final = 1.0
"""Seconds in which a bot has greeted who came, and has said what begins to play."""
_READS_WITHIN: Final = 3.0
_SELDOM: Final = 60.0
"""Seconds for which a person is not asked again, where a bot does not answer the same one twice at once."""


class Learnt:
    """What was found out.

    Attributes:
        profile: What the bot does.
        arrived: Whether it opened any connection.
        reads_or_exchanges: Whether it read the chat, or asked the gateway for a token.
        joined: Whether it was in the room.
        ended: Its exit code, where it ended by itself.
        lines: What it printed, masked.
        seconds: How long it took.
    """

    def __init__(self, profile: Profile, evidence: Evidence, *, joined: bool, seconds: float) -> None:
        run = evidence.runs[0]
        self.profile, self.joined, self.seconds = profile, joined, seconds
        self.ended, self.lines = run.code, run.lines
        self.arrived = any(row["dir"] == "in" for row in evidence.rows)
        self.reads_or_exchanges = _reads_or_exchanges(evidence)


def _reads_or_exchanges(evidence: Evidence) -> bool:
    return any(map(_is_reading_or_exchange, evidence.rows))


def _is_reading_or_exchange(row: Mapping[str, Any]) -> bool:
    if row["service"] == "chat":
        return row["kind"] == "open" or (
            "/messages" in str(row.get("path")) and row.get("status") == HTTPStatus.OK
        )
    return str(row["service"]) == "gateway"


async def learn(program: BotProgram) -> Learnt:
    """Start the bot on a sandbox and find out what it does: in 15 s mostly, a minute for a slow one.

    One that reads nothing of the chat and exchanges no token is started once more, and given a chat token.
    """
    learnt = await _learn(program, Profile())
    if learnt.reads_or_exchanges or not (learnt.arrived or learnt.ended is not None):
        return learnt
    return await _learn(program, Profile(chat_token=True))


async def _learn(program: BotProgram, given: Profile) -> Learnt:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with program.open_sandbox() as sandbox:
        home = await asyncio.to_thread(Home, program, uuid.uuid4().hex)
        play = Play(Scenario("start.learn", _nothing, (), (), 0, "quick", {}), sandbox, home, given)
        try:
            people = await _gather(play)
            await play.start()
            joined, profile, started = await _watch(play, people, loop.time() + 10.0)
            profile = replace(profile, start=round(started - began, 1), chat_token=given.chat_token)
            profile = await _find_health(play, profile)
        finally:
            await play.stop()
            await home.close()
        evidence = play.evidence()
    return Learnt(_uses(profile, evidence), evidence, joined=joined, seconds=loop.time() - began)


async def _gather(play: Play) -> Sequence[Actor]:
    """Bring people into the room before the bot is there, which may greet who comes."""
    await play.company()
    for name in _CROWD:
        await play.another(name)
    return play.people


async def _find_health(play: Play, profile: Profile) -> Profile:
    """Look for a health page; a port that the bot does not take from PORT lets one run live at a time."""
    for port in listening_ports(play.processes()):
        if path := await health_path(port):
            fixed = replace(profile, health=f"http://127.0.0.1:{port}{path}", side_by_side=False)
            await play.stop()
            other = free_port()
            await play.start(**{profile.port_env: str(other)})
            if not await play.until(functools.partial(_listens, play, other), within=5.0):
                return fixed
            return replace(profile, health=f"http://127.0.0.1:{{port}}{path}")
    return profile


def _listens(play: Play, port: int) -> bool:
    return port in listening_ports(play.processes())


async def _nothing(play: Play) -> None:
    """Play nothing."""


async def _watch(play: Play, people: Sequence[Actor], latest: float) -> tuple[bool, Profile, float]:
    loop = asyncio.get_running_loop()
    joined = await play.joined(within=latest - loop.time())
    await play.until(lambda: play.hears() or play.has_ended, within=2.0)
    started = loop.time()
    if not play.profile.chat_token and not await play.until(
        lambda: play.has_ended or _reads_or_exchanges(play.evidence()), within=_READS_WITHIN
    ):
        return joined, Profile(), started  # it hears no person: it is started anew with a token
    await play.people[0].dj()  # a bot that votes does so when a song begins
    await play.sandbox.users.add("sybil").join()
    await asyncio.sleep(_GREETED_WITHIN)
    by_itself = [line.text for line in play.evidence().own_lines()]
    prober = Prober(play, itertools.cycle(people), by_itself)
    looks = play.looks()
    found, direct = None, bool(looks) and not any("/groups/" in place for place in looks)
    if direct:
        found = await prober.find(within=_LONGEST_DIRECT, direct=True)
    if found is None:
        found, direct = await prober.find(within=_LONGEST), False
    if found is None and len(play.evidence().own_lines()) == len(by_itself):
        found, direct = await prober.find(within=_LONGEST_DIRECT, direct=True), True
    if found is None:
        return joined, Profile(), started
    profile = Profile(
        says=found.says,
        answers=found.answers,
        start=0,
        direct=found.direct,
        direct_only=direct,
        cooldown=0.0 if found.again else _SELDOM,
    )
    return joined, profile, started


def _uses(profile: Profile, evidence: Evidence) -> Profile:
    """Add what its connections and actions show."""
    chat = [row for row in evidence.rows if row["service"] == "chat" and row["dir"] == "in"]
    return replace(
        profile,
        room=bool(evidence.connects()),
        chat=bool(chat),
        push=any(row["kind"] == "open" for row in chat),
        votes=bool(evidence.actions("voteOnSong")),
        djs=bool(evidence.actions("addDj")),
    )
