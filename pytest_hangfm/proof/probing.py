"""Finding a line that a bot answers alike each time: words are said group by group, then one by one."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.profile import alike
from pytest_hangfm.proof.wording import common_answer, part_of, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from hangbot.sandbox import Actor
    from pytest_hangfm.proof.play import Play

__all__ = ["Probe", "Prober"]

_GROUPS: Final = (
    ("/ping", "!ping", "/help"),
    ("!help", "!commands", "/commands", "ping", "/hello", "/uptime"),
    (".ping", ".help", "?help", "-help", "@{bot} ping", "@{bot} help"),
)
"""Said group by group, with the bot's name; of a group that was answered each word is tried alone."""
_WHISPERED: Final = ("/ping", "!ping", "/help", "!help", "ping", "help")
_FIRST_WITHIN: Final = 5.5
"""Seconds: some look every third, and let an answer take its time as if they typed it."""
_LOOKS: Final = 2
_AFTER_ITS_LOOKS: Final = 1.0
"""One that looked and came back to look again has read the words; its answer may be on its way."""
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


@dataclass(frozen=True, slots=True)
class Probe:
    """A line that a bot answers.

    Attributes:
        says: The line.
        answers: What all its answers to it hold.
        again: Whether the same person is answered again at once.
        direct: Whether it is answered, too, where it is said to the bot alone.
    """

    says: str
    answers: str
    again: bool
    direct: bool = False


@dataclass(frozen=True, slots=True)
class _Twice:
    """Whether an answer, as one sample shows it, stands twice in some lines."""

    answer: str
    sample: Sequence[str]

    def __call__(self, lines: Sequence[str]) -> bool:
        return self._times(lines) >= 2 * self._times(self.sample)

    def _times(self, lines: Sequence[str]) -> int:
        return sum(self.answer in line for line in lines)


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
        self._heard: set[str] = set()
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
        name = self._play.sandbox.bot.nickname
        for words in (_WHISPERED,) if direct else _GROUPS:
            group = [word.format(bot=name) for word in words]
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

    async def _say_together(self, words: Sequence[str], within: float, *, direct: bool) -> float:
        """Say words at once; return how long an answer may take from now on, 0 where none came."""
        loop = asyncio.get_running_loop()
        before, mark, began = len(self._play.lines()), self._play.sandbox.journal.last_n, loop.time()
        for word in words:
            await self._say(next(self._people), word, direct=direct)
        await self._play.until(
            lambda: max(self._play.looks(mark).values(), default=0) >= _LOOKS or self._is_over(before),
            within=within,
        )
        left = within + began - loop.time()
        await self._play.until(lambda: self._is_over(before), within=max(0.0, min(left, _AFTER_ITS_LOOKS)))
        if not self._written(before):
            return 0.0
        taken = loop.time() - began
        await self._quiet(max(_QUIET, _MOST * taken))  # until the others' answers are there
        self._heard.update(self._written(before))
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
        """Say a word until four answers are known; one may be that which came when words were said at once.

        The last time one person says it again, a second one beside, and a third one whispers it.
        """
        first, second, other, whisperer = (next(self._people) for _ in range(4))
        samples = [await self._ask(first, word, wait, direct=direct)]
        if not samples[0]:
            return None
        if self._heard.issuperset(samples[0]):
            samples, second = samples * 2, first
        elif lines := await self._ask(second, word, wait, direct=direct):
            samples.append(lines)
        else:
            return None
        answer = self._good(common_answer(*samples))
        if not (answer or self._part(samples)):
            return None
        beside = _Twice(answer, samples[0])
        lines, whispered = await asyncio.gather(
            self._ask(second, word, wait, direct=direct, beside=other, but=whisperer.uid, enough=beside),
            self._whisper(whisperer, word, 0.0 if direct else max(_WITHIN, wait)),
        )
        again = beside(lines)
        if again:
            samples.append(list(dict.fromkeys(lines)))
        else:  # silent to who asks again, or that came too soon; with other words by chance, perhaps
            others = any(line not in samples[0] for line in lines)
            for person in itertools.islice(self._people, 2 if others else 1):
                samples.append(await self._ask(person, word, wait, direct=direct))
        if not samples[-1]:
            return None
        if answer and answer == self._good(common_answer(*samples)):
            said = {*lines, *itertools.chain(*samples)}
            return None if self._stands_in(answer, said) else Probe(word, answer, again, direct or whispered)
        if self._second_best is None and (part := self._part([*samples, lines])):
            self._second_best = Probe(word, part, again, direct or whispered)
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

    async def _ask(
        self,
        person: Actor,
        word: str,
        wait: float,
        *,
        direct: bool,
        beside: Actor | None = None,
        but: str = "",
        enough: Callable[[Sequence[str]], bool] = bool,
    ) -> list[str]:
        """Say a word, and return the lines of the answer as they are compared.

        Args:
            person: Who says it.
            word: What is said.
            wait: Seconds in which the answer may come.
            direct: Whether it is said to the bot alone.
            beside: Who says it at the same time.
            but: Whose private answers count for nothing here.
            enough: Whether lines are the whole answer.
        """
        before = len(self._play.lines())
        askers = [person] if beside is None else [person, beside]
        for asker in askers:
            await self._say(asker, word, direct=direct)
        to = {asker.uid for asker in askers} if direct else set[str]()
        await self._play.until(
            lambda: self._play.has_ended or enough(self._written(before, to, but)), within=wait
        )
        await asyncio.sleep(_TOGETHER)
        return self._written(before, to, but)

    async def _whisper(self, person: Actor, word: str, within: float) -> bool:
        """Whether a word is answered, too, where it is said to the bot alone; not tried in no time."""
        return within > 0 and bool(await self._ask(person, word, within, direct=True))

    async def _say(self, person: Actor, word: str, *, direct: bool) -> None:
        if direct:
            await person.dm(self._play.sandbox.bot.uid, word)
        else:
            await person.say(word)

    def _is_over(self, before: int) -> bool:
        return self._play.has_ended or bool(self._written(before))

    def _written(self, before: int, to: Collection[str] = (), but: str = "") -> list[str]:
        """Return what it has written since, to some or all but one; not what it writes by itself."""
        lines = [line for line in self._play.lines()[before:] if line.sender == self._play.sandbox.bot.uid]
        texts = [self._alike(line.text) for line in lines if (line.to in to if to else line.to != but)]
        return [text for text in texts if text and text not in self._by_itself]

    def _alike(self, text: str) -> str:
        return alike(text, self._play.names())
