"""What happens in a replay as it happened then besides the services: an app, and what chance drew."""

import asyncio
import hashlib
from collections import defaultdict, deque
from functools import partial
from typing import Final

from hangbot.bot.app_forms import Begin
from hangbot.bot.bot import Bot
from hangbot.bot.events import ChatMessage, Event
from hangbot.clock import Clock
from hangbot.incident.recording import Recording

__all__ = ["Drawn", "StandIn"]

_HOOKS: Final = frozenset({"on_start", "on_stop"})
_QUICK: Final = frozenset({"/uptime", "/help"})


class StandIn:
    """An app that fares as the recorded one did; what that said, it does not: it is said at its time.

    Args:
        then: What is repeated.
        clock: Says what time it is.
    """

    def __init__(self, then: Recording, clock: Clock) -> None:
        self._clock = clock
        self._ends: dict[str, deque[str]] = defaultdict(deque)
        self._timed: list[tuple[float, str]] = []
        for happened in then.of_kind("app"):
            what = happened.row["what"]
            self._ends[what].append(happened.row["outcome"])
            if what not in _HOOKS and not what.startswith(("message ", "event ")):
                self._timed.append((happened.t, what))
        if any(what.startswith("event ") for what in self._ends):
            self.on_event = self._hear
        for hook in _HOOKS & self._ends.keys():
            setattr(self, hook, partial(self._fare, hook))

    async def on_message(self, _bot: Bot, message: ChatMessage) -> None:
        """Fare with a line as the app did."""
        await self._fare(f"message {message.id}")

    def prepare(self, _bot: Bot) -> None:
        """Have nothing to look through."""

    def is_quick(self, _bot: Bot, line: ChatMessage) -> bool:
        """Take the lines as an app does that answers these by itself: then the bot does not."""
        return line.text is not None and line.text.strip() in _QUICK

    async def run_timers(self, _bot: Bot, begin: Begin) -> None:
        """Begin what the clock began then."""
        for t, what in self._timed:
            if (wait := t - self._clock.now()) > 0:
                await self._clock.sleep(wait)
            begin(partial(self._fare, what), what)

    async def _hear(self, _bot: Bot, event: Event) -> None:
        await self._fare(f"event {getattr(event, 'name', type(event).__name__)}")

    async def _fare(self, what: str, _bot: object = None) -> None:
        end = self._ends[what].popleft() if self._ends[what] else "returned"
        if end == "raised":
            raise RuntimeError("the app failed here then")
        if end in {"timed out", "stopped"}:
            await asyncio.get_running_loop().create_future()


class Drawn:
    """Draws for one that draws what it drew then; what it did not, is always the same.

    Args:
        then: What was drawn then.
        clock: Says what time it is: before the recording began nothing of it is drawn.
        whose: Who draws.
    """

    def __init__(self, then: Recording, clock: Clock, whose: str) -> None:
        self._clock = clock
        self._whose = whose
        numbers, bits = then.of_kind("chance"), then.of_kind("drawn")
        self._numbers = deque(float(each.row["number"]) for each in numbers if each.row["whose"] == whose)
        self._bits = deque(int(each.row["hex"], 16) for each in bits if each.row["whose"] == whose)
        self._more = 0

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return self._numbers.popleft() if self._numbers and self._clock.now() >= 0 else 0.5

    def getrandbits(self, bits: int, /) -> int:
        """Return a whole number of that many bits."""
        if self._bits and self._clock.now() >= 0:
            return self._bits.popleft()
        self._more += 1
        drawn = hashlib.sha256(f"{self._whose} {self._more}".encode()).digest()
        return int.from_bytes(drawn, "big") >> (256 - bits)
