"""What a record and an accepted message cost in a cluster of three servers that write to disk.

Both stand beside bare publishes of nats-py of the same size.
"""

import asyncio
import json
import shutil
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from typing import Any, Final

from nats.aio.client import Client
from nats.js import JetStreamContext

from bench.accepting import Idle, idle_settings, write_all
from bench.figures import Figure, at_least, at_most, figure, interleaved, ratio
from bench.plan import Plan
from hangbot.config.cluster import parse_address
from hangbot.delivery.courier import Courier
from hangbot.delivery.message import Outgoing
from hangbot.delivery.outbox import Outbox
from hangbot.factory import make_courier
from hangbot.fleet.nats_cluster import open_cluster
from hangbot.fleet.room_outbox import RoomPlace
from hangbot.fleet.servers import open_servers
from hangbot.fleet.streams import Outdated, Stream

__all__ = ["STEPS"]

_WRITERS: Final = 64
_RECORDS: Final = 4_000
_LONE: Final = 200
_BYTES: Final = 300
_WITHIN: Final = 120.0
_WINDOW_S: Final = 600
_MS: Final = 1000.0
_DATA: Final = b"x" * _BYTES
_TEXT: Final = "x" * _BYTES
_FENCE: Final = 1

_Store = Callable[[int], Awaitable[None]]
_Measure = Callable[..., Coroutine[Any, Any, float]]


@dataclass
class _Stores:
    """Our own: each where the newest is as expected, under a key."""

    stream: Stream
    last: dict[int, int] = field(default_factory=dict)
    count: int = 0

    async def store(self, writer: int) -> None:
        self.count += 1
        subject, last, key = f"room-{writer}", self.last.get(writer, 0), str(self.count)
        while self.last.get(writer, 0) == last:
            try:
                self.last[writer] = await self.stream.store(subject, _DATA, last=last, key=key)
            except Outdated:  # so says a server that leads only since a moment: what is there decides
                for found in await self.stream.read(subject, after=last, most=1):
                    self.last[writer] = found.sequence


@dataclass
class _Messages:
    """Those that the outbox of a room accepts, which a worker owns."""

    courier: Courier
    count: int = 0

    async def store(self, writer: int) -> None:
        self.count += 1
        await self.courier.accept(Outgoing(f"m{self.count}", f"r{writer}", _TEXT))


@dataclass
class _Publishes:
    """Bare ones, to a stream of the same kind."""

    jetstream: JetStreamContext

    async def store(self, writer: int) -> None:
        await self.jetstream.publish(f"bare.room-{writer}", _DATA)


_Contender = _Stores | _Messages | _Publishes


async def _rate(store: _Store, amount: int, writers: int) -> float:
    return await write_all(lambda at: store(at % writers), amount, writers)


async def _lone(store: _Store, amount: int) -> float:
    """Return the median of single stores, in milliseconds."""
    took = []
    for _ in range(amount):
        began = time.perf_counter()
        await store(0)
        took.append((time.perf_counter() - began) * _MS)
    return median(took)


async def _opened(stack: AsyncExitStack, folder: Path) -> tuple[_Stores, _Messages, _Publishes]:
    servers = await stack.enter_async_context(open_servers(folder=folder))
    cluster = await stack.enter_async_context(open_cluster(parse_address(servers.address)))
    client = Client()
    await client.connect([f"nats://{cluster.server}"])
    stack.push_async_callback(client.close)
    jetstream = client.jetstream()
    await jetstream.add_stream(
        name="bare", subjects=["bare.>"], num_replicas=3, duplicate_window=_WINDOW_S, allow_direct=True
    )
    leader = f"n{servers.number_of(cluster.server)}"
    for stream in ("hangbot-records", "bare"):
        await _led_by(client, stream, leader)
    outbox = Outbox(RoomPlace(cluster, "room", writer="the bench", fence=_FENCE))
    stack.push_async_callback(outbox.close)
    await outbox.open()
    courier = make_courier(idle_settings(folder), outbox, Idle())
    return _Stores(cluster.records), _Messages(courier), _Publishes(jetstream)


async def _led_by(client: Client, stream: str, leader: str) -> None:
    """Have a stream led by the server that both contenders are connected to: a hop less is a third of it."""
    wish = json.dumps({"placement": {"preferred": leader}}).encode()
    async with asyncio.timeout(_WITHIN):
        while True:
            found = json.loads((await client.request(f"$JS.API.STREAM.INFO.{stream}", timeout=5)).data)
            if found["cluster"].get("leader") == leader:
                return
            await client.request(f"$JS.API.STREAM.LEADER.STEPDOWN.{stream}", wish, timeout=5)
            await asyncio.sleep(0.5)


def _stores(plan: Plan) -> Iterator[Figure]:
    folder = Path(mkdtemp(dir=plan.folder))
    try:
        with asyncio.Runner() as runner:
            stack = AsyncExitStack()
            try:
                records, messages, bare = runner.run(_opened(stack, folder))
                yield from _measured(plan, runner, {"record": records, "message": messages, "bare": bare})
            finally:
                runner.run(stack.aclose())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measured(plan: Plan, runner: asyncio.Runner, contenders: Mapping[str, _Contender]) -> Iterator[Figure]:
    amount = plan.amount(_RECORDS)

    def of(measure: _Measure, *more: int) -> dict[str, Callable[[], float]]:
        return {name: partial(_run, runner, measure, each.store, *more) for name, each in contenders.items()}

    for each in contenders.values():  # so that none pays for the first of everything
        runner.run(_rate(each.store, _WRITERS, _WRITERS))
    lone = interleaved(plan.rounds(11), of(_lone, plan.amount(_LONE)), within=_WITHIN)  # few wait as yet
    rates = interleaved(plan.rounds(7), of(_rate, amount, _WRITERS), within=_WITHIN)
    for name, some, one in (
        ("record", "records stored", "a lone record"),
        ("message", "messages accepted", "a lone message"),
    ):
        beside = (
            f"of bare publishes; {_WRITERS} writers, {_BYTES} bytes, three replicas, sync_interval: always; "
            f"{median(rates[name]):,.0f}/s, bare {median(rates['bare']):,.0f}/s"
        )
        yield figure(some, ratio(rates, name, "bare"), "x", goal=at_least(0.7), beside=beside)
        beside = (
            f"of a bare publish, one after the other; {median(lone[name]):.2f} ms, bare "
            f"{median(lone['bare']):.2f} ms"
        )
        yield figure(one, ratio(lone, name, "bare"), "x", goal=at_most(1.3), beside=beside)


def _run(
    runner: asyncio.Runner,
    measure: _Measure,
    store: _Store,
    *more: int,
) -> float:
    return runner.run(measure(store, *more))


STEPS: Final = (_stores,)
