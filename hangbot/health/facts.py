"""What was observed of each part, and how each is by that. PURE."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from hangbot.health.parts import PARTS, STEADY, UNNAMED, Part

__all__ = ["Condition", "Fact", "PartHealth", "alarms", "cause_of", "examine", "silence"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is wrong.

    Attributes:
        part: The part that has the problem, such as ``room token`` or ``outbox``; the log names it, too.
        sentence: What happened, and to what; without a full stop.
        remedy: What the operator is to do, in a whole sentence.
    """

    part: str
    sentence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.sentence}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of a part.

    Attributes:
        since: When it became good, or when its trouble began.
        at: When it was observed last.
        trouble: What is wrong; ``None``: nothing.
        was_red: Whether it raised an alarm before that, or is to raise one at once.
        last_began: When the trouble began that it was in before it became good; ``None``: it was in none.
        ever_good: Whether it was good once.
    """

    since: float
    at: float
    trouble: Condition | None = None
    was_red: bool = False
    last_began: float | None = None
    ever_good: bool = False

    def good(self, at: float, part: Part, *, alarm: bool) -> "Fact":
        """Return what is known after it was found good; ``alarm``: whether it raised one until then."""
        if self.trouble is None and not (alarm and at - self.at >= part.quiet):
            return replace(self, at=max(at, self.at), ever_good=True)
        began = self.at if self.trouble is None else self.since
        return Fact(at, at, was_red=alarm, last_began=began, ever_good=True)

    def bad(self, at: float, trouble: Condition, since: float, *, alarm: bool) -> "Fact":
        """Return what is known after it was found in trouble that began then."""
        if self.trouble is not None:
            return replace(self, at=at, trouble=trouble)
        return Fact(since, at, trouble, was_red=alarm, ever_good=self.ever_good)

    def in_trouble(self, now: float, part: Part) -> bool:
        """Tell whether something is wrong with it, for however short a time."""
        return self.trouble is not None or now - self.at >= part.quiet

    def is_red(self, now: float, part: Part) -> bool:
        """Tell whether that has lasted too long, or is over for too short a time."""
        if self.trouble is not None:
            return self.was_red or now - self.since >= part.red_after
        return now - self.at >= part.quiet or (
            self.was_red and part.red_after > 0.0 and now - self.since < STEADY
        )

    def red_at(self, now: float, part: Part) -> float:
        """Return when what is wrong with it became red, or will."""
        if self.trouble is None and now - self.at >= part.quiet:
            return self.at + part.quiet
        return -math.inf if self.was_red else self.since + part.red_after

    def began(self, now: float, part: Part) -> float | None:
        """Return when its trouble began that others may come from: it lasts, or did until just now."""
        if self.in_trouble(now, part):
            return self.at if self.trouble is None else self.since
        return self.last_began if now - self.since < STEADY else None


class PartHealth(NamedTuple):
    """How a part is.

    Attributes:
        name: The part.
        ok: Whether nothing is wrong with it right now.
        red: Whether it raises an alarm: its trouble has lasted too long, and is its own.
        since: When it became so.
        sentence: What is wrong, without a full stop; empty where nothing is.
        remedy: What the operator is to do, in a whole sentence; empty where nothing is wrong.
        cause: The part that its trouble comes from; it is shown below that one.
        warns: Whether its trouble is a warning only.
    """

    name: str
    ok: bool
    red: bool
    since: float
    sentence: str = ""
    remedy: str = ""
    cause: str | None = None
    warns: bool = False


def examine(facts: Mapping[str, Fact], now: float, parts: Mapping[str, Part] = PARTS) -> Iterator[PartHealth]:
    """Yield how each part is, in the order of ``parts``, then those that are not among them.

    Args:
        facts: What is known, by part.
        now: The time.
        parts: What is asked of each.
    """
    for name in (*(name for name in parts if name in facts), *(name for name in facts if name not in parts)):
        fact, part = facts[name], parts.get(name, UNNAMED)
        red = fact.is_red(now, part)
        if not red and fact.trouble is None:
            yield PartHealth(name, ok=True, red=False, since=fact.since, warns=part.warns)
            continue
        cause = cause_of(name, facts, now, parts)
        trouble = fact.trouble
        if trouble is None and now - fact.at >= part.quiet:
            trouble = silence(name, now - fact.at)
        yield PartHealth(
            name,
            ok=False,
            red=red and cause is None and not part.warns,
            since=fact.at if fact.trouble is None and trouble is not None else fact.since,
            sentence=trouble.sentence if trouble else f"{name} has been in order for less than {STEADY:g} s",
            remedy=trouble.remedy if trouble else "Nothing is to be done where it stays so.",
            cause=cause,
            warns=part.warns,
        )


def alarms(parts: Iterable[PartHealth]) -> tuple[Condition, ...]:
    """Return what raises an alarm, the oldest first."""
    red = sorted((part for part in parts if part.red), key=lambda part: part.since)
    return tuple(Condition(part.name, part.sentence, part.remedy) for part in red)


def cause_of(name: str, facts: Mapping[str, Fact], now: float, parts: Mapping[str, Part]) -> str | None:
    """Return the part that the trouble of another comes from in the end.

    An alarm gives way to an alarm only: what began when the other was red already counts once it is red.
    """
    red_at = facts[name].red_at(now, parts.get(name, UNNAMED))
    for other in parts.get(name, UNNAMED).depends:
        if other not in facts or parts.get(other, UNNAMED).warns:
            continue
        if facts[other].began(now, parts.get(other, UNNAMED)) is None:
            continue
        cause = cause_of(other, facts, now, parts) or other
        fact, part = facts[cause], parts.get(cause, UNNAMED)
        began = fact.began(now, part)
        if fact.is_red(now, part) or (began is not None and began <= red_at):
            return cause
    return None


def silence(name: str, seconds: float) -> Condition:
    """Return the trouble of a part that nothing has been heard of for so long."""
    return Condition(
        name,
        f"nothing has been heard of the {name} for {seconds:.0f} s",
        "Where that lasts, restart the bot and report these words with its log.",
    )
