"""What `/metrics` costs with the lines of 200 rooms, and what counting costs."""

import asyncio
import time
from collections.abc import Iterator
from statistics import median
from typing import Final

from bench.figures import Figure, figure, under
from bench.plan import Plan
from hangbot.clock import SystemClock
from hangbot.delivery.counting import count_steps
from hangbot.delivery.record import Queue, Settlement, Step
from hangbot.figures import Figures
from hangbot.health import PARTS, Conditions, Health
from hangbot.ops.metrics import Metrics
from hangbot.ops.source import Source

__all__ = ["STEPS"]

_ROOMS: Final = 200
_REASONS: Final = ("AckTimeout", "ConnectionLost", "Unavailable", "RateLimited")
_STORY: Final = (
    Step("m", 0.0, "accepted"),
    Step("m", 0.0, "attempt", 1),
    Step("m", 0.0, "answer", 1, "acknowledged", 0.12),
    Step("m", 0.0, "settled", 1, "tier 1", settlement=Settlement("delivered", 1, 1)),
)


def _metrics(plan: Plan) -> Iterator[Figure]:
    took, spent, lines = asyncio.run(_look_at(plan))
    name = f"/metrics with the {lines:,} lines of {_ROOMS} rooms that are busy"
    beside = f"processor time; by the clock {median(took):.1f} ms"
    yield figure(name, spent, "ms", goal=under(20), beside=beside)


async def _look_at(plan: Plan) -> tuple[list[float], list[float], int]:
    """Return how long each look took (milliseconds), its processor time, and how many lines there are."""
    clock = SystemClock()
    bots = [Figures() for _ in range(_ROOMS)]
    for one in bots:
        _everything_happened(one)
    metrics = Metrics(
        [_source(number, one, clock) for number, one in enumerate(bots)], clock=clock, version="1"
    )
    text, took, spent = await metrics.render(), [], []
    for _ in range(plan.rounds(31)):
        for one in bots:
            _something_happened(one, clock)
        begun, worked = time.perf_counter(), time.process_time()
        text = await metrics.render()
        took.append((time.perf_counter() - begun) * 1e3)
        spent.append((time.process_time() - worked) * 1e3)
    return took, spent, text.count(b"\n")


def _everything_happened(figures: Figures) -> None:
    for reason in _REASONS:
        figures.retries.count("chat", reason)
        figures.reconnects.count("room", reason)
    for path in ("chat", "room"):
        figures.ack_seconds.observe(0.3, path)
        figures.last_event.mark(1.0, path)
    figures.heartbeat.mark(1.0)
    figures.handler_seconds.observe(0.1)


def _something_happened(figures: Figures, clock: SystemClock) -> None:
    """Have a bot hear a line, answer it, and see a vote."""
    count, now = count_steps(figures, "chat"), clock.now()
    for step in _STORY:
        count(step)
    figures.patches.count()
    figures.heartbeat.mark(now)
    figures.last_event.mark(now, "room")
    figures.last_event.mark(now, "chat")
    figures.handler_seconds.observe(0.02)


def _source(number: int, figures: Figures, clock: SystemClock) -> Source:
    conditions = Conditions(clock.now)
    for part in PARTS:
        conditions.good(part)

    async def queue() -> Queue:
        return Queue(3, clock.wall() - 3)

    def health() -> Health:
        return Health.of(conditions, in_room=True, reads_chat=True)

    return Source(f"00000000-0000-4000-8000-{number:012d}", 0.0, figures, health, queue)


def _counting(plan: Plan) -> Iterator[Figure]:
    count, most = count_steps(Figures(), "chat"), plan.amount(20_000)
    rounds = []
    for _ in range(plan.rounds(7)):
        begun = time.process_time()
        for _ in range(most):
            for step in _STORY:
                count(step)
        rounds.append((time.process_time() - begun) / most * 1e6)
    beside = "a message through delivery takes 370 µs or more"
    yield figure("figures of a message that is delivered", rounds, "µs", goal=under(10), beside=beside)


STEPS = (_metrics, _counting)
