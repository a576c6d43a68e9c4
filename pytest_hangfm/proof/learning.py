"""Finding out what a bot does: it is started once, spoken to, and watched."""

from __future__ import annotations

import asyncio
import functools
import re
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.bot_process import Home
from pytest_hangfm.proof.listening import health_path, listening_ports
from pytest_hangfm.proof.looks import free_port
from pytest_hangfm.proof.play import Play
from pytest_hangfm.proof.profile import Profile, alike
from pytest_hangfm.proof.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_hangfm.proof.bot_process import BotProgram
    from pytest_hangfm.proof.evidence import Evidence

__all__ = ["Learnt", "learn", "words_of"]

_LONGEST: Final = 15.0
_FIRST_WORDS: Final = (("/ping", "!ping", "/help"), ("/uptime", "ping", "/hello", "!help"))
"""Said group by group; of a group that was answered each word is tried alone."""
_ANSWERS_WITHIN: Final = 2.5
_SHORTEST_WAIT: Final = 0.7
_WORD: Final = re.compile(r"(?<![\w/])([/!.][a-z][a-z0-9_-]{1,20})\b", re.IGNORECASE)
_NEVER: Final = re.compile(
    r"kick|ban|stop|quit|exit|restart|reboot|shutdown|leave|skip|mute|delete|clear|reset|kill|off"
)
_MOST_WORDS: Final = 12
_SHORTEST_ANSWER: Final = 4


class Learnt:
    """What was found out.

    Attributes:
        profile: What the bot does.
        arrived: Whether it opened any connection.
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


async def learn(program: BotProgram) -> Learnt:
    """Start the bot on a sandbox and find out what it does, in 15 s and the time of its start."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with program.open_sandbox() as sandbox:
        home = await asyncio.to_thread(Home, program, uuid.uuid4().hex)
        play = Play(Scenario("start.learn", _nothing, (), (), 0, "quick", {}), sandbox, home, Profile())
        try:
            await play.company()
            await play.start()
            joined, profile, started = await _watch(play, loop.time() + 10.0)
            profile = replace(profile, start=round(started - began, 1))
            profile = await _find_health(play, profile)
        finally:
            await play.stop()
            await home.close()
        evidence = play.evidence()
    return Learnt(_uses(profile, evidence), evidence, joined=joined, seconds=loop.time() - began)


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


async def _watch(play: Play, latest: float) -> tuple[bool, Profile, float]:
    loop = asyncio.get_running_loop()
    joined = await play.joined(within=latest - loop.time())
    await play.until(lambda: play.hears() or play.has_ended, within=2.0)
    started = loop.time()
    latest = loop.time() + _LONGEST - 3.0
    await play.people[0].dj()  # a bot that votes does so when a song begins
    found: tuple[str, str] | None = None
    tried = set[str]()
    for group in _FIRST_WORDS:
        if found is None and (wait := await _group(play, group)):
            found = await _first_probe(play, group, wait, latest, tried)
    if found is None:
        own = words_of([line.text for line in play.evidence().own_lines()])
        found = await _first_probe(play, own, _ANSWERS_WITHIN, latest, tried)
    profile = Profile() if found is None else Profile(says=found[0], answers=found[1], start=0)
    if found is not None:
        before = len(play.lines())
        await play.people[0].dm(play.sandbox.bot.uid, found[0])
        direct = await play.until(lambda: _written(play, before) != [], within=_ANSWERS_WITHIN)
        profile = replace(profile, direct=direct)
    return joined, profile, started


async def _group(play: Play, words: Sequence[str]) -> float:
    """Say words at once; return how long an answer may take from now on, 0 where none came."""
    loop = asyncio.get_running_loop()
    before, began = len(play.lines()), loop.time()
    for number, word in enumerate(words):
        await play.people[number % len(play.people)].say(word)
    if not await play.until(lambda: bool(_written(play, before)) or play.has_ended, within=_ANSWERS_WITHIN):
        return 0.0
    taken = loop.time() - began
    seen = -1
    while len(play.lines()) != seen:  # until the others' answers are there
        seen = len(play.lines())
        await asyncio.sleep(_SHORTEST_WAIT)
    return min(_ANSWERS_WITHIN, 2 * taken + _SHORTEST_WAIT)


async def _first_probe(
    play: Play, words: Sequence[str], wait: float, latest: float, tried: set[str]
) -> tuple[str, str] | None:
    """Return the first of these words that is answered twice alike, with the answer; or ``None``."""
    loop = asyncio.get_running_loop()
    for word in words:
        if word in tried or loop.time() > latest or play.has_ended:
            continue
        tried.add(word)
        if found := await _probe(play, word, wait):
            return found
    return None


async def _probe(play: Play, word: str, wait: float) -> tuple[str, str] | None:
    """Say a word twice, by two people; return it with what both answers have in common, or ``None``."""
    texts: list[str] = []
    for person in play.people[:2]:
        before = len(play.lines())
        await person.say(word)
        if not await play.until(functools.partial(_has_written, play, before), within=wait):
            return None
        await asyncio.sleep(0.3)
        answers = _written(play, before)
        if len(answers) != 1:  # more than one line: another question is the better probe
            return None
        texts.append(answers[0])
    names = tuple(person.nickname for person in play.people)
    first, second = (alike(text, names) for text in texts)
    return (word, _steady(first)) if first and first == second else None


def _steady(answer: str) -> str:
    """Return the longest part of an answer without a number: "3 s" may be "1 min 3 s" the next time."""
    longest = max((part.strip() for part in answer.split("#")), key=len)
    return longest if len(longest) >= _SHORTEST_ANSWER else answer


def _has_written(play: Play, before: int) -> bool:
    return bool(_written(play, before))


def _written(play: Play, before: int) -> list[str]:
    return [line.text for line in play.lines()[before:] if line.sender == play.sandbox.bot.uid]


def words_of(lines: Sequence[str]) -> list[str]:
    """Return the commands that a bot's own lines name, without those that may do harm, in their order."""
    found = dict.fromkeys(word.lower() for line in lines for word in _WORD.findall(line))
    return [word for word in found if not _NEVER.search(word)][:_MOST_WORDS]


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
