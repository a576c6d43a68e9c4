"""What the bot counts, and how it is, as Prometheus reads it. The library shows the process."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from hangbot.clock import Clock
from hangbot.delivery.record import Queue
from hangbot.errors import OutboxError
from hangbot.figures import Figures
from hangbot.health import Health
from hangbot.ops.metric_lines import KINDS, Labels, Lines, Values, escaped, head
from hangbot.ops.source import Source

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
_WAITS: Final = 2.0
"""Seconds for which the outboxes are waited for: what is not known then is left out."""


class _Now(NamedTuple):
    """What is true of a bot at a look."""

    wall: float
    health: Health
    queue: Queue | None


class _Shown:
    """The lines of one bot; most of each is made here, and kept."""

    def __init__(self, source: Source, now: float) -> None:
        self.gauges = [Lines(gauge.name, gauge.labels, source.labels) for gauge in _GAUGES]
        self.figures = [Lines(each.name, each.labels, source.labels).of(each) for each in source.figures.all]
        for lines_at in self.figures:
            lines_at(now)


class Metrics:
    """Shows bots.

    Args:
        sources: The bots; others may be among them at each look.
        clock: Measures ages, and bounds the wait for outboxes.
        version: That of hangbot.
        more: Returns further lines, with what stands above them.
    """

    def __init__(
        self,
        sources: Collection[Source],
        *,
        clock: Clock,
        version: str,
        more: Callable[[], bytes] = bytes,
    ) -> None:
        self._sources = sources
        self._clock = clock
        self._more = more
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        info = head("hangbot_build_info", "gauge", "The version that runs.")
        self._info = info + f'hangbot_build_info{{version="{escaped(version)}"}} 1\n'.encode()
        self._figure_heads = [head(each.name, KINDS[type(each)], each.about) for each in Figures().all]
        self._shown: dict[Source, _Shown] = {}

    async def render(self) -> bytes:
        """Return what is true now; of an outbox that does not answer, what waits there is left out."""
        sources = [*self._sources]
        shown = self._shown = await self._lines_of(sources)
        queues = await self._queues(sources)
        now, wall = self._clock.now(), self._clock.wall()
        seen = [_Now(wall, source.health(), queue) for source, queue in zip(sources, queues, strict=True)]
        text = [self._info]
        for place, gauge in enumerate(_GAUGES):
            text.append(gauge.head)
            for (source, lines), one in zip(shown.items(), seen, strict=True):
                text.append(lines.gauges[place].numbers(gauge.values(source, one)))
        for place, about in enumerate(self._figure_heads):
            text.append(about)
            text += [lines.figures[place](now) for lines in shown.values()]
        text += [self._more(), generate_latest(self._registry)]
        return b"".join(text)

    async def _lines_of(self, sources: Sequence[Source]) -> dict[Source, _Shown]:
        """Return the lines of each; others have their turns while those of new ones are made."""
        shown, known, now = dict[Source, _Shown](), self._shown, self._clock.now()
        for source in sources:
            if source in known:
                shown[source] = known[source]
            else:
                shown[source] = _Shown(source, now)
                await asyncio.sleep(0)
        return shown

    async def _queues(self, sources: Sequence[Source]) -> list[Queue | None]:
        """Ask the outboxes, each for as long as there is time."""
        asked = [asyncio.ensure_future(source.queue()) for source in sources]
        try:
            if asked:
                await self._clock.wait_for(asyncio.wait(asked), _WAITS)
        except TimeoutError:
            pass
        finally:
            late = [task for task in asked if task.cancel()]
        if late:
            await asyncio.wait(late)
        return [_answer(task) for task in asked]


@dataclass(frozen=True, slots=True)
class _Gauge:
    """Something that is looked at when it is asked for."""

    name: str
    about: str
    labels: Labels
    values: Callable[[Source, _Now], Values]

    @property
    def head(self) -> bytes:
        """Return the lines above it."""
        return head(self.name, "gauge", self.about)


def _answer(asked: asyncio.Task[Queue]) -> Queue | None:
    """Return what an outbox answered; ``None`` where it failed, or did not in time."""
    try:
        return asked.result()
    except (OutboxError, asyncio.CancelledError):
        return None


def _queue_age(_: Source, now: _Now) -> Values:
    if now.queue is None:
        return {}
    since = now.queue.oldest_at
    return {(): 0.0 if since is None else max(0.0, now.wall - since)}


_GAUGES: Final = (
    _Gauge(
        "hangbot_start_time_seconds",
        "When the bot started, in seconds since 1970.",
        (),
        lambda source, _: {(): source.started_at},
    ),
    _Gauge("hangbot_live", "1 while the loop turns.", (), lambda _, now: {(): int(now.health.live)}),
    _Gauge("hangbot_ready", "1 while the bot does its work.", (), lambda _, now: {(): int(now.health.ready)}),
    _Gauge(
        "hangbot_part_trouble",
        "How a part is: 0 in order, 1 in trouble, 2 red, which is an alarm.",
        ("part",),
        lambda _, now: {(part.name,): part.red + (not part.ok) for part in now.health.parts},
    ),
    _Gauge(
        "hangbot_queue_length",
        "Messages in the outbox that are to be delivered.",
        (),
        lambda _, now: {} if now.queue is None else {(): now.queue.waiting},
    ),
    _Gauge(
        "hangbot_queue_age_seconds", "How long the oldest of them has waited; 0: none waits.", (), _queue_age
    ),
)
