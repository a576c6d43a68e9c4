"""What Prometheus is given, read by its own library, and served by a bot in a room."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from hangbot.delivery.record import Queue
from hangbot.errors import OutboxUnusable
from hangbot.figures import Counter, Figures, Histogram, Moment
from hangbot.health import Conditions, Health
from hangbot.ops.metrics import Metrics
from hangbot.ops.source import Source
from pytest_hangfm.manual_clock import ManualClock
from tests.bounds import WITHIN
from tests.ops.watched import watched

ROOM = 'a "room"\\\n'


class AsTheLibraryDoes(Collector):
    """Shows the same figures by what the library has for that."""

    def __init__(self, figures: Figures, now: float) -> None:
        self._figures = figures
        self._now = now

    def collect(self) -> Iterator[Metric]:
        for figure in self._figures.all:
            labels = ("room", *figure.labels)
            family: CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
            match figure:
                case Counter():
                    family = CounterMetricFamily(
                        figure.name.removesuffix("_total"), figure.about, labels=labels
                    )
                    for values, count in figure.values().items():
                        family.add_metric([ROOM, *values], count)
                case Moment():
                    family = GaugeMetricFamily(figure.name, figure.about, labels=labels)
                    for values, age in figure.ages(self._now).items():
                        family.add_metric([ROOM, *values], age)
                case Histogram():
                    family = HistogramMetricFamily(figure.name, figure.about, labels=labels)
                    for values, counts, total in figure.values():
                        bounds = [*map(str, figure.buckets), "+Inf"]
                        upwards = [sum(counts[: number + 1]) for number in range(len(counts))]
                        family.add_metric([ROOM, *values], [*zip(bounds, upwards, strict=True)], total)
            yield family


def busy() -> Figures:
    figures = Figures()
    figures.ack_seconds.observe(0.3, "chat")
    figures.ack_seconds.observe(70.0, "room")
    figures.retries.count("chat", 'odd "reason"\\')
    figures.held_seconds.count("rate", by=1.5)
    figures.heartbeat.mark(990.0)
    figures.handler_seconds.observe(0.02)
    return figures


def source(clock: ManualClock, figures: Figures, *, waits: Queue | Exception | None = None) -> Source:
    conditions = Conditions(clock.now)
    conditions.good("room")
    conditions.red("chat token", "the chat refuses the token", "Renew it.")

    def health() -> Health:
        return Health.of(conditions, in_room=True, reads_chat=True)

    async def queue() -> Queue:
        if isinstance(waits, Exception):
            raise waits
        return waits or await asyncio.Future[Queue]()

    return Source(ROOM, 5.5, figures, health, queue)


def read(text: bytes) -> dict[str, dict[tuple[str, ...], float]]:
    """Read a page as Prometheus does: by name, then by the values of its labels but the room's."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = tuple(value for name, value in sample.labels.items() if name != "room")
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def by_the_library(figures: Figures, now: float) -> list[Metric]:
    registry = CollectorRegistry()
    registry.register(AsTheLibraryDoes(figures, now))
    return list(text_string_to_metric_families(generate_latest(registry).decode()))


async def test_the_figures_are_shown_as_the_library_would() -> None:
    clock, figures = ManualClock(now=1_000.0), busy()
    metrics = Metrics([source(clock, figures, waits=Queue(0, None))], clock=clock, version="1")

    ours = text_string_to_metric_families((await metrics.render()).decode())

    by_name = {family.name: family for family in ours}
    theirs = by_the_library(figures, 1_000.0)
    assert [by_name[family.name] for family in theirs] == theirs


async def test_what_happened_since_the_last_look_is_shown_and_the_rest_as_it_was() -> None:
    clock, figures, still = ManualClock(now=1_000.0), busy(), busy()
    shown = [source(clock, each, waits=Queue(0, None)) for each in (figures, still)]
    metrics = Metrics(shown, clock=clock, version="1")
    await metrics.render()

    figures.accepted.count()
    figures.retries.count("chat", "new")
    figures.ack_seconds.observe(0.0, "chat")
    figures.handler_seconds.observe(0.0)
    figures.last_event.mark(995.0, "room")
    await clock.advance(7.0)
    ours = text_string_to_metric_families((await metrics.render()).decode())

    samples = {family.name: family.samples for family in ours}
    changed, kept = by_the_library(figures, 1_007.0), by_the_library(still, 1_007.0)
    assert [samples[family.name] for family in changed] == [
        one.samples + other.samples for one, other in zip(changed, kept, strict=True)
    ]


async def test_how_the_bot_is_and_what_waits_is_shown_as_it_is_then() -> None:
    clock = ManualClock(wall=2_000.0)
    metrics = Metrics([source(clock, busy(), waits=Queue(3, 1_990.0))], clock=clock, version="1.2")

    found = read(await metrics.render())

    assert found["hangbot_build_info"] == {("1.2",): 1}
    assert (found["hangbot_live"], found["hangbot_ready"]) == ({(): 1}, {(): 0})
    assert found["hangbot_part_trouble"] == {("room",): 0, ("chat token",): 2}
    assert (found["hangbot_queue_length"], found["hangbot_queue_age_seconds"]) == ({(): 3}, {(): 10})
    assert found["hangbot_start_time_seconds"] == {(): 5.5}


async def test_of_several_bots_in_one_room_each_is_told_apart() -> None:
    clock = ManualClock()
    one, other = (
        replace(source(clock, busy(), waits=Queue(number, None)), bot=name)
        for number, name in enumerate(("lounge", 'the "other"'))
    )

    text = (await Metrics([one, other], clock=clock, version="1").render()).decode()

    bots = [
        (sample.labels["bot"], sample.labels["room"], sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "hangbot_queue_length"
    ]
    assert bots == [("lounge", ROOM, 0), ('the "other"', ROOM, 1)]
    assert text.count('bot="lounge"') == text.count('room="') / 2


async def test_of_a_fleets_bots_that_come_and_go_those_that_are_here_are_shown_with_their_worker() -> None:
    clock, here = ManualClock(), list[Source]()
    metrics = Metrics(here, clock=clock, version="1", more=lambda: b"more 1\n")
    one, other = (
        replace(source(clock, busy(), waits=Queue(0, None)), room=f"r-{name}", bot=name, worker="north")
        for name in ("lounge", "attic")
    )
    seen = []

    for now in ([], [one], [one, other], [other], []):
        here[:] = now
        found = read(await metrics.render())
        assert found["more"] == {(): 1}
        seen.append({name: set(found.get(name, {})) for name in ("hangbot_live", "hangbot_patches_total")})

    lounge, attic = ("lounge", "north"), ("attic", "north")
    shown = [set(), {lounge}, {lounge, attic}, {attic}, set()]
    assert seen == [{"hangbot_live": now, "hangbot_patches_total": now} for now in shown]


@pytest.mark.parametrize("waits", [None, OutboxUnusable("the disk has gone")], ids=["hangs", "fails"])
async def test_of_an_outbox_that_does_not_answer_nothing_is_shown(waits: Exception | None) -> None:
    clock = ManualClock()
    shown = [source(clock, busy(), waits=waits)]
    rendering = asyncio.create_task(Metrics(shown, clock=clock, version="1").render())

    if waits is None:
        await clock.next_wait(limits=True)
        await clock.advance(2.0)
    found = read(await asyncio.wait_for(rendering, WITHIN))

    assert "hangbot_queue_length" not in found
    assert found["hangbot_live"] == {(): 1}


async def test_what_a_bot_does_on_a_sandbox_is_in_its_metrics(tmp_path: Path) -> None:
    async def app(_bot: object, message: object) -> None:
        raise ValueError(message)

    async with watched(tmp_path, app=app) as bot, aiohttp.ClientSession(bot.url) as http:
        alice = bot.sandbox.users.add("alice")
        await alice.join()
        await alice.say("hello")
        bot.sandbox.faults.add("chat.send", "status", status=503)
        await bot.fails("refused")
        (said,) = await bot.shown.bot.say("hello")
        await asyncio.wait_for(bot.shown.bot.settled(said.message.id), WITHIN)
        await bot.shown.bot.act("playOneTimeAnimation", animation="jump")
        await bot.sandbox.restart(services=["room"])
        await until(lambda: bot.shown.bot.figures.reconnects.values()["room", "lost"] == 1)
        await until(lambda: bot.shown.bot.health().ready)
        async with http.get("/metrics") as answer:
            text, kind = await answer.text(), answer.headers["Content-Type"]

    found = read(text.encode())
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    assert [secret for secret in bot.settings.secrets() if secret in text] == []
    assert "hello" not in text
    assert found["hangbot_ready"] == {(): 1}
    assert {labels: count for labels, count in found["hangbot_settled_total"].items() if count} == {
        ("chat", "1"): 1,
        ("chat", "3"): 1,
        ("room", "1"): 1,
    }
    assert found["hangbot_retries_total"] == {("chat", "Unavailable"): 1}
    assert found["hangbot_ack_seconds_count"] == {("chat",): 1, ("room",): 1}
    assert found["hangbot_handler_failures_total"]["raised",] == 1
    assert found["hangbot_patches_total"][()] >= 1
    assert found["hangbot_heartbeat_age_seconds"][()] < WITHIN
    assert found["hangbot_last_event_age_seconds"].keys() == {("chat",), ("room",)}


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN):
        while not so():  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.01)
