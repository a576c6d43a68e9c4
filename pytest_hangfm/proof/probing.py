"""Finding a line that a bot answers alike each time: words are said group by group, then one by one."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.profile import alike

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from hangbot.sandbox import Actor
    from pytest_hangfm.proof.play import Play

__all__ = ["Probe", "Prober", "common_answer", "part_of", "words_of"]

_GROUPS: Final = (
    ("/ping", "!ping", "/help"),
    ("!help", "!commands", "/commands", "ping", "/hello", "/uptime"),
    (".ping", ".help", "?help", "-help"),
)
"""Said group by group; of a group that was answered each word is tried alone."""
_WHISPERED: Final = ("/ping", "!ping", "/help", "!help", "ping", "help")
_FIRST_WITHIN: Final = 5.5
"""Seconds: some look every third, and let an answer take its time as if they typed it."""
_WITHIN: Final = 2.0
_SHORTEST_WAIT: Final = 2.0
"""Seconds: that the first answer came at once says little of a bot that looks every other second."""
_LONGEST_WAIT: Final = 6.0
"""Also for a direct message: the service itself takes its time to show one."""
_QUIET: Final = 1.2
"""Seconds without a line after which no answer is to come any more; or most of what the first one took."""
_MOST: Final = 0.7
_LONGEST_QUIET: Final = 15.0
_TOGETHER: Final = 0.3
"""Seconds in which the lines of one answer come."""
_WORD: Final = re.compile(r"(?<![\w/])([/!.?-][a-z0-9][a-z0-9_-]{1,20})\b", re.IGNORECASE)
_NEVER: Final = re.compile(
    r"kick|ban|stop|quit|exit|restart|reboot|shutdown|leave|skip|mute|delete|clear|reset|kill|off"
)
_CHANGES: Final = re.compile(r"8ball|roll|dice|flip|coin|rand|joke|quote|fact|time|up|date|now|song|dj|stat")
_MOST_WORDS: Final = 12
_SHORTEST_PART: Final = 4


@dataclass(frozen=True, slots=True)
class Probe:
    """A line that a bot answers.

    Attributes:
        says: The line.
        answers: What all its answers to it hold.
        again: Whether the same person is answered again at once.
    """

    says: str
    answers: str
    again: bool


class Prober:
    """Speaks to a bot until a line is found that it answers alike each time.

    Args:
        play: Where the bot lives.
        people: Who speaks, each in turn: a bot may answer no person twice in a row.
        by_itself: What the bot has written of itself.
    """

    def __init__(self, play: Play, people: Iterable[Actor], by_itself: Sequence[str]) -> None:
        self._play, self._people, self._latest = play, iter(people), 0.0
        self._by_itself = [self._alike(text) for text in by_itself]
        self._tried: set[str] = set()
        self._second_best: Probe | None = None

    async def find(self, *, within: float, direct: bool = False) -> Probe | None:
        """Return the first line that is answered alike each time; or one whose answers have a part in common.

        Args:
            within: Seconds after which no other word is tried.
            direct: Whether the bot alone is asked, by direct messages.
        """
        self._latest = asyncio.get_running_loop().time() + within
        self._tried.clear()
        said: list[str] = []
        for group in (_WHISPERED,) if direct else _GROUPS:
            wait = await self._say_together(group, _WITHIN if said else _FIRST_WITHIN, direct=direct)
            said += group
            if wait and (found := await self._of(group, said, wait, direct=direct)):
                return found
        own = words_of([line.text for line in self._play.evidence().own_lines()])
        return await self._first(own, _WITHIN, direct=direct) or self._second_best

    async def _of(
        self, group: Sequence[str], said: Sequence[str], wait: float, *, direct: bool
    ) -> Probe | None:
        """Return the first good word of a group; of all that were said so far, where the bot answers late."""
        if not direct:  # where it is plain to which question an answer belongs
            found = await self._first(group, wait, direct=False)
            if found or self._second_best:
                return found
            await self._quiet(_LONGEST_WAIT)
            self._tried.clear()
        return await self._first(said, _LONGEST_WAIT, direct=direct)

    async def whisper(self, probe: Probe) -> bool:
        """Whether the line is answered, too, where it is said to the bot alone."""
        return bool(await self._ask(next(self._people), probe.says, _WITHIN, direct=True))

    async def _say_together(self, words: Sequence[str], within: float, *, direct: bool) -> float:
        """Say words at once; return how long an answer may take from now on, 0 where none came."""
        loop = asyncio.get_running_loop()
        before, began = len(self._play.lines()), loop.time()
        for word in words:
            await self._say(next(self._people), word, direct=direct)
        if not await self._is_answered(before, within):
            return 0.0
        taken = loop.time() - began
        await self._quiet(max(_QUIET, _MOST * taken))  # until the others' answers are there
        return min(_LONGEST_WAIT, max(_SHORTEST_WAIT, 2 * taken))

    async def _quiet(self, seconds: float) -> None:
        """Wait until no line has come for so long; not for ever, where the bot answers itself."""
        loop = asyncio.get_running_loop()
        seen, latest = -1, loop.time() + _LONGEST_QUIET
        while len(self._play.lines()) != seen and loop.time() < latest:
            seen = len(self._play.lines())
            await asyncio.sleep(seconds)

    async def _first(self, words: Sequence[str], wait: float, *, direct: bool) -> Probe | None:
        loop = asyncio.get_running_loop()
        for word in words:
            if word in self._tried or loop.time() > self._latest or self._play.has_ended:
                continue
            self._tried.add(word)
            if found := await self._alone(word, wait, direct=direct):
                return found
        return None

    async def _alone(self, word: str, wait: float, *, direct: bool) -> Probe | None:
        """Say a word twice by two people, then once more by the second."""
        samples: list[list[str]] = []
        first, second = next(self._people), next(self._people)
        for person in (first, second):
            samples.append(await self._ask(person, word, wait, direct=direct))
            if not samples[-1]:
                return None
        answer, part = self._good(common_answer(*samples)), self._part(samples)
        if not (answer or part):
            return None
        third = await self._ask(second, word, wait, direct=direct)
        again = bool(third)
        if not third or (answer and answer not in " ".join(third)):
            again = False  # it was silent, said that this came too soon, or answers by chance
            third = await self._ask(next(self._people), word, wait, direct=direct)
        if answer and answer == self._good(common_answer(*samples, third)):
            said = {line for lines in (*samples, third) for line in lines}
            return None if self._stands_in(answer, said) else Probe(word, answer, again)
        part = self._part([*samples, third]) if third else ""
        if part and self._second_best is None:
            self._second_best = Probe(word, part, again)
        return None

    def _part(self, samples: Sequence[Sequence[str]]) -> str:
        return self._good(part_of([line for lines in samples for line in lines]))

    def _good(self, answer: str) -> str:
        """Return an answer, or an empty text where the bot writes that by itself, too."""
        return "" if any(answer in text for text in self._by_itself) else answer

    def _stands_in(self, answer: str, said: Collection[str]) -> bool:
        """Whether an answer is part of another line of the bot, which would be taken for it."""
        own = (self._alike(line.text) for line in self._play.evidence().own_lines())
        return any(answer in text and text not in said for text in own)

    async def _ask(self, person: Actor, word: str, wait: float, *, direct: bool) -> list[str]:
        """Say a word, and return the lines of the answer as they are compared."""
        before = len(self._play.lines())
        await self._say(person, word, direct=direct)
        to = person.uid if direct else ""
        await self._is_answered(before, wait, to)
        await asyncio.sleep(_TOGETHER)
        return self._written(before, to)

    async def _say(self, person: Actor, word: str, *, direct: bool) -> None:
        if direct:
            await person.dm(self._play.sandbox.bot.uid, word)
        else:
            await person.say(word)

    async def _is_answered(self, before: int, within: float, to: str = "") -> bool:
        await self._play.until(lambda: bool(self._written(before, to)) or self._play.has_ended, within=within)
        return bool(self._written(before, to))

    def _written(self, before: int, to: str = "") -> list[str]:
        """Return what the bot has written since, to one person or all, but for what it writes by itself."""
        lines = [line for line in self._play.lines()[before:] if line.sender == self._play.sandbox.bot.uid]
        texts = [self._alike(line.text) for line in lines if not to or line.to == to]
        return [text for text in texts if text and text not in self._by_itself]

    def _alike(self, text: str) -> str:
        return alike(text, self._play.names())


def common_answer(*samples: Sequence[str]) -> str:
    """Return the line that stands once in each of several answers, without what may grow; or an empty text.

    Args:
        samples: The lines of each answer, as `alike` makes them. PURE.
    """
    for line in samples[0]:
        if all(lines.count(line) == 1 for lines in samples):
            return _steady(line)
    return ""


def part_of(texts: Sequence[str]) -> str:
    """Return the longest part that texts have in common; empty where it says too little.

    PURE.
    """
    part = texts[0] if texts else ""
    for text in texts[1:]:
        match = SequenceMatcher(None, part, text, autojunk=False).find_longest_match()
        part = part[match.a : match.a + match.size]
    part = max((piece.strip() for piece in part.split("#")), key=len)
    return part if sum(letter.isalpha() for letter in part) >= _SHORTEST_PART else ""


def _steady(answer: str) -> str:
    """Return the longest part of an answer without a number: "3 s" may be "1 min 3 s" the next time."""
    longest = max((part.strip() for part in answer.split("#")), key=len)
    return longest if len(longest) >= _SHORTEST_PART else answer


def words_of(lines: Sequence[str]) -> list[str]:
    """Return the commands that a bot's own lines name, without those that may do harm.

    They are in their order, those whose answers may change from one time to the next at the end.
    """
    found = dict.fromkeys(word.lower() for line in lines for word in _WORD.findall(line))
    harmless = [word for word in found if not _NEVER.search(word)]
    return sorted(harmless, key=lambda word: bool(_CHANGES.search(word)))[:_MOST_WORDS]
