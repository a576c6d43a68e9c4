"""Where observers say what they find; it keeps what is known of each part."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from hangbot.health.facts import Condition, Fact, PartHealth, alarms, cause_of, examine, silence
from hangbot.health.parts import PARTS, UNNAMED, Part

__all__ = ["Conditions"]

logger = logging.getLogger(__name__)


class Conditions:
    """What is known of each part; one log line when one turns red, one when it is in order again.

    Args:
        now: The monotonic time, in seconds; without it no time passes.
        parts: What is asked of each.
        seen: Given each part that turned red or green, whether it is red, and the sentence.
    """

    def __init__(
        self,
        now: Callable[[], float] = lambda: 0.0,
        parts: Mapping[str, Part] = PARTS,
        *,
        seen: Callable[[str, bool, str], object] = lambda _part, _red, _sentence: None,
    ) -> None:
        self._now = now
        self._parts = parts
        self._seen = seen
        self._facts: dict[str, Fact] = {}
        self._logged: set[str] = set()

    def good(self, part: str, *, at: float | None = None) -> None:
        """Say that a part was found in order, now or at that time; to be called each time that it is."""
        at, known = self._now() if at is None else at, self._facts.get(part)
        if known is None:
            self._facts[part] = Fact(at, at, ever_good=True)
        else:
            # A silence that no look met was none: some parts are only heard of when there is a look.
            alarm = part in self._logged if known.trouble is None else self._alarms(part)
            self._facts[part] = known.good(at, self._asked(part), alarm=alarm)
        self._tell(part)

    def bad(self, part: str, sentence: str, remedy: str, *, since: float | None = None) -> None:
        """Say that a part was found in trouble; to be called each time that it is.

        Args:
            part: Which.
            sentence: What happened, and to what.
            remedy: What the operator is to do, in a whole sentence.
            since: When that began, where it was before now.
        """
        at, trouble = self._now(), Condition(part, sentence.rstrip("."), remedy)
        known, begun = self._facts.get(part), at if since is None else since
        if known is None:
            self._facts[part] = Fact(begun, at, trouble)
        else:
            self._facts[part] = known.bad(at, trouble, begun, alarm=self._alarms(part))
        self._tell(part)

    def red(self, part: str, sentence: str, remedy: str) -> None:
        """Say that a part is in trouble that does not pass by itself: it is red at once."""
        self.bad(part, sentence, remedy)
        self._facts[part] = replace(self._facts[part], was_red=True)
        self._tell(part)

    def clear(self, part: str) -> None:
        """Say that such a trouble is over; where there was none, nothing was observed."""
        known, now = self._facts.get(part), self._now()
        if known is not None:
            began = known.last_began if known.trouble is None else known.since
            over = known.trouble is not None or known.was_red
            since = now if over else known.since
            self._facts[part] = Fact(since, now, last_began=began if over else None, ever_good=True)
            self._tell(part)

    @property
    def now(self) -> float:
        """The monotonic time, in seconds."""
        return self._now()

    def facts(self) -> Mapping[str, Fact]:
        """Return what is known, by part."""
        return dict(self._facts)

    def waits(self) -> tuple[str, ...]:
        """Return the parts that have to be good before the bot is ready, and have not been yet."""
        needed = (name for name, part in self._parts.items() if part.needed)
        return tuple(name for name in needed if name not in self._facts or not self._facts[name].ever_good)

    def examine(self) -> tuple[PartHealth, ...]:
        """Return how each part is now, and log what became red or green by the time that passed."""
        parts = tuple(examine(dict(self._facts), self._now(), self._parts))
        for part in parts:
            if not part.ok or part.name in self._logged:
                self._tell(part.name)
        return parts

    def all(self) -> tuple[Condition, ...]:
        """Return what raises an alarm, the oldest first."""
        return alarms(self.examine())

    def _asked(self, part: str) -> Part:
        return self._parts.get(part, UNNAMED)

    def _alarms(self, part: str) -> bool:
        """Tell whether a part is red, and not for another's sake."""
        now = self._now()
        red = self._facts[part].is_red(now, self._asked(part))
        return red and cause_of(part, self._facts, now, self._parts) is None

    def _tell(self, part: str) -> None:
        """Log a part that became red, or green."""
        fact, asked, now = self._facts[part], self._asked(part), self._now()
        if part not in self._logged:
            if fact.in_trouble(now, asked) and self._alarms(part):
                self._logged.add(part)
                said = fact.trouble or silence(part, now - fact.at)
                self._seen(part, True, said.sentence)  # noqa: FBT003  a listener's
                level, mark = (logging.WARNING, "[WARN]") if asked.warns else (logging.ERROR, "[ERROR]")
                logger.log(level, "%s %s", mark, said, extra={"action": "red", "part": part})
        elif not fact.is_red(now, asked):
            self._logged.discard(part)
            self._seen(part, False, "")  # noqa: FBT003  a listener's
            logger.info("[OK] %s: in order again", part, extra={"action": "green", "part": part})
