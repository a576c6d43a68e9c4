"""What all open pages show, looked at once for all of them: the whole of it, and what is new in it."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from hangbot.bot.bot import Bot
from hangbot.clock import Clock
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.record import OutboxRow, Queue, State
from hangbot.errors import OutboxError
from hangbot.logs import Recent
from hangbot.ops import view
from hangbot.ops.deliveries import Deliveries

__all__ = ["Feed", "Sources"]

MOST_TROUBLES: Final = 50
MOST_LINES: Final = 200
_EMPTY: Final = Queue(0, None)
_TROUBLES: Final[Sequence[State]] = ("failed", "uncertain")
_ANSWERS_WITHIN: Final = 0.5
"""Seconds that a look waits for the outbox; what comes later is shown by the next one."""

Sections: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sources:
    """What the page shows.

    Attributes:
        bot: The bot.
        outbox: Its outbox.
        deliveries: What delivery did last.
        log: The last lines of the log.
        health: Returns the row of ``/healthz``.
        stopping: Returns whether the bot stops.
        show: Makes a text safe to show.
        clock: Measures, and bounds waits.
    """

    bot: Bot
    outbox: Outbox
    deliveries: Deliveries
    log: Recent
    health: Callable[[], Mapping[str, Any]]
    stopping: Callable[[], bool]
    show: Callable[[str], str]
    clock: Clock


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the outbox said.

    Attributes:
        version: Of the file, as other processes write it.
        steps: So many there had been.
        not_delivered: So many of them ended a message that did not arrive.
        asks_newest: Whether the next answer asks for the newest messages again: a step is known a little
            before the outbox has it.
        asks_troubles: The same for those that did not arrive.
        queue: How much waits.
        newest: The newest messages.
        troubles: The newest ones that did not arrive.
    """

    version: int = -1
    steps: int = 0
    not_delivered: int = 0
    asks_newest: bool = True
    asks_troubles: bool = True
    queue: Queue = _EMPTY
    newest: Sequence[OutboxRow] = ()
    troubles: Sequence[OutboxRow] = ()


class Feed:
    """Looks at the bot, and says what there is and what is new.

    Args:
        sources: What it looks at.
    """

    def __init__(self, sources: Sources) -> None:
        self._of = sources
        self._now: Sections = {}
        self._before: Sections = {}
        self._acks = self._acks_before = 0
        self._line = self._line_before = 0
        self._known = _Answer()
        self._asking: asyncio.Task[_Answer] | None = None
        self._changed = False

    def touch(self) -> None:
        """Have the next look ask the outbox for everything: something was changed from the page."""
        self._changed = True

    async def look(self) -> None:
        """Look at everything."""
        silent = await self._ask_outbox()
        of, known = self._of, self._known
        room = of.bot.room
        state = room.state if room else None
        wall = of.clock.wall()
        self._before, self._acks_before, self._line_before = self._now, self._acks, self._line
        self._acks = max((ack.number for ack in of.deliveries.acks(self._acks)), default=self._acks)
        self._line = max((line.number for line in of.log.lines(self._line)), default=self._line)
        waiting, oldest = known.queue
        self._now = {
            "health": of.health(),
            "stopping": of.stopping(),
            "room": view.room_row(state, of.show) if state else None,
            "queue": {
                "waiting": waiting,
                "oldest_at": oldest,
                "held": list(view.held(of.deliveries.last(), wall, of.show)) if waiting else [],
                "silent": silent,
            },
            "deliveries": view.deliveries(known.newest, of.deliveries.last(), of.show),
            "troubles": [view.trouble_row(row, of.show) for row in known.troubles],
        }

    def whole(self) -> bytes:
        """Return an event with all that the last look found."""
        return self._event("whole", self._now, after_ack=0, after_line=0)

    def news(self) -> bytes:
        """Return an event with what the last look found new, compared to the one before."""
        new = {name: value for name, value in self._now.items() if value != self._before.get(name)}
        return self._event("news", new, after_ack=self._acks_before, after_line=self._line_before)

    async def close(self) -> None:
        """Ask the outbox nothing more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _event(self, kind: str, sections: Sections, *, after_ack: int, after_line: int) -> bytes:
        of = self._of
        acks = [ack[1:] for ack in of.deliveries.acks(after_ack) if ack.number <= self._acks]
        lines = [line for line in of.log.lines(after_line) if line.number <= self._line][-MOST_LINES:]
        more: Sections = {"acks": acks} if acks else {}
        if lines:
            more["log"] = [[line.at, line.level, of.show(line.text)] for line in lines]
        return f"event: {kind}\ndata: {json.dumps(sections | more)}\n\n".encode()

    async def _ask_outbox(self) -> bool:
        """Ask the outbox, and return whether it is silent; one question at a time is on its way."""
        if self._asking is None:
            changed, self._changed = self._changed, False
            asking = self._question(everything=changed)
            self._asking = asyncio.create_task(asking, name="hangbot-page-outbox")
        with suppress(TimeoutError):
            await self._of.clock.wait_for(asyncio.wait([self._asking]), _ANSWERS_WITHIN)
        if not self._asking.done():
            return True
        asked, self._asking = self._asking, None
        try:
            self._known = asked.result()
        except OutboxError:
            return True
        return False

    async def _question(self, *, everything: bool) -> _Answer:
        """Ask how much waits; and, where something happened since the last answer, for messages, too."""
        outbox, deliveries, known = self._of.outbox, self._of.deliveries, self._known
        steps, not_delivered = deliveries.steps, deliveries.not_delivered
        version, _ = await outbox.place.look(closely=False)
        everything = everything or version != known.version
        stepped = steps != known.steps
        failed = not_delivered != known.not_delivered or (stepped and self._moved())
        newest, troubles = known.newest, known.troubles
        if everything or stepped or known.asks_newest:
            newest = await outbox.newest(view.MOST_DELIVERIES)
        if everything or failed or known.asks_troubles:
            troubles = await outbox.newest(MOST_TROUBLES, _TROUBLES)
        queue = await outbox.queue()
        return _Answer(version, steps, not_delivered, stepped, failed, queue, newest, troubles)

    def _moved(self) -> bool:
        """Return whether something happened to a message that is known not to have arrived."""
        ids = {row.message.id for row in self._known.troubles}
        last = (step for step in self._of.deliveries.last() if step.id in ids)
        return any(step.settlement is None or step.settlement.state not in _TROUBLES for step in last)
