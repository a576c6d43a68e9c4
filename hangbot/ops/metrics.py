"""What the bot counts, and how it is, as Prometheus reads it. The library shows the process."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
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

__all__ = ["CONTENT_TYPE", "Metrics", "Source"]

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
_WAITS: Final = 2.0
"""Seconds for which the outboxes are waited for: what is not known then is left out."""


@dataclass(frozen=True, slots=True)
class Source:
    """A bot that is shown.

    Attributes:
        room: The uuid of its room.
        started_at: When it started, in seconds since the epoch.
        figures: What it counts.
        health: Returns how it is.
        queue: Returns what waits in its outbox; raises `OutboxError`.
        bot: What it is called among several of its process; ``None``: it is the only one.
    """

    room: str
    started_at: float
    figures: Figures
    health: Callable[[], Health]
    queue: Callable[[], Awaitable[Queue]]
    bot: str | None = None


class _Now(NamedTuple):
    """What is true of a bot at a look."""

    wall: float
    health: Health
    queue: Queue | None


class Metrics:
    """Shows bots.

    Args:
        sources: The bots.
        clock: Measures ages, and bounds the wait for outboxes.
        version: That of hangbot.
    """

    def __init__(self, sources: Sequence[Source], *, clock: Clock, version: str) -> None:
        self._sources = sources
        self._clock = clock
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        info = head("hangbot_build_info", "gauge", "The version that runs.")
        self._info = info + f'hangbot_build_info{{version="{escaped(version)}"}} 1\n'.encode()
        self._gauges = [
            (
                head(gauge.name, "gauge", gauge.about),
                [Lines(gauge.name, gauge.labels, source.room, source.bot) for source in sources],
                gauge.values,
            )
            for gauge in _GAUGES
        ]
        self._figures = [
            (
                head(shown[0].name, KINDS[type(shown[0])], shown[0].about),
                [
                    Lines(each.name, each.labels, source.room, source.bot).of(each)
                    for each, source in zip(shown, sources, strict=True)
                ],
            )
            for shown in zip(*(source.figures.all for source in sources), strict=True)
        ]

    async def render(self) -> bytes:
        """Return what is true now; of an outbox that does not answer, what waits there is left out."""
        queues = await self._queues()
        now, wall = self._clock.now(), self._clock.wall()
        seen = [
            _Now(wall, source.health(), queue) for source, queue in zip(self._sources, queues, strict=True)
        ]
        text = [self._info]
        for about, lines, values in self._gauges:
            text.append(about)
            for of_one, source, one in zip(lines, self._sources, seen, strict=True):
                text.append(of_one.numbers(values(source, one)))
        for about, figures in self._figures:
            text.append(about)
            text += [lines_at(now) for lines_at in figures]
        text.append(generate_latest(self._registry))
        return b"".join(text)

    async def _queues(self) -> list[Queue | None]:
        """Ask the outboxes, each for as long as there is time."""
        asked = [asyncio.ensure_future(source.queue()) for source in self._sources]
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
