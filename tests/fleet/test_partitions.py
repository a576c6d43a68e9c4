"""A server that is cut from the others and still reached by a worker: it decides nothing."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

import httpx
import pytest
import pytest_asyncio

from hangbot.clock import SystemClock
from hangbot.config.cluster import parse_address
from hangbot.delivery.outbox import Outbox
from hangbot.errors import OutboxTaken
from hangbot.fleet.nats_cluster import open_cluster, open_link
from hangbot.fleet.providing import ask_jetstream, found_stream
from hangbot.fleet.room_outbox import RoomPlace
from hangbot.fleet.servers import Servers
from hangbot.fleet.streams import AnswerMissing, Cluster, ClusterAway, Entry, Outdated, Stream
from tests.bounds import WITHIN
from tests.delivery.builders import message
from tests.fleet.keeping import is_owned_by, keeping, newest, taken_by, until
from tests.fleet.processes import open_quick_servers
from tests.fleet.routes import Routes, open_routes
from tests.fleet.storing import answered, stored

STREAMS = ("KV_hangbot", "hangbot-records")
SETTLED = 3.0
"""Seconds within which another server leads, where one is to."""
FORMER = 0
"""The server that leads, until it is cut off."""


@dataclass(frozen=True)
class Parted:
    """Servers, the ways between them, and the cluster as it is reached through one and through the others."""

    servers: Servers
    routes: Routes
    alone: Cluster
    others: Cluster


@pytest_asyncio.fixture
async def routes() -> AsyncIterator[Routes]:
    async with open_routes() as opened:
        yield opened


@pytest_asyncio.fixture
async def own(nats_server: str, routes: Routes) -> AsyncIterator[Servers]:
    """Servers that reach each other over ways that can be cut."""
    assert nats_server
    async with open_quick_servers(routes) as servers:
        yield servers


@pytest_asyncio.fixture
async def parted(own: Servers, routes: Routes) -> AsyncIterator[Parted]:
    """The cluster through the server that leads all of it, and through the other two."""
    where = parse_address(own.address)
    alone, others = where.servers[FORMER], tuple(s for s in where.servers if s != where.servers[FORMER])
    async with (
        open_cluster(replace(where, servers=(alone,))) as one,
        open_cluster(replace(where, servers=others)) as rest,
    ):
        yield Parted(own, routes, one, rest)


async def remotes_of(servers: Servers, number: int) -> set[str]:
    """Return which other servers a server is connected to."""
    async with httpx.AsyncClient(trust_env=False, timeout=WITHIN) as http:
        found = await http.get(f"http://127.0.0.1:{servers.ports[number].monitor}/routez")
    return {route["remote_name"] for route in found.json()["routes"] or ()}


async def test_servers_reach_each_other_by_no_other_way_than_the_one_that_is_given(
    own: Servers, routes: Routes
) -> None:
    nobody: set[str] = set()
    for _ in range(2):  # at each beginning servers tell others where a new one is
        await routes.isolate(FORMER, resets=True)
        await until(partial(are_remotes, own, FORMER, nobody))
        for other in (1, 2):
            await until(partial(are_remotes, own, other, {f"n{3 - other}"}))

        await routes.mend(FORMER, resets=False)

        for number, others in enumerate([{"n1", "n2"}, {"n0", "n2"}, {"n0", "n1"}]):
            await until(partial(are_remotes, own, number, others))


async def are_remotes(servers: Servers, number: int, others: set[str]) -> bool:
    """Whether a server is connected to these, and no others."""
    return await remotes_of(servers, number) == others


async def led_by(servers: Servers, number: int) -> None:
    """Have a server lead both streams."""
    name, clock = f"n{number}", SystemClock()
    async with open_link(parse_address(servers.address)) as link, asyncio.timeout(WITHIN):
        for stream in STREAMS:
            asked = -math.inf
            while (found := await found_stream(link, stream)) and found["cluster"].get("leader") != name:
                if clock.now() - asked > SETTLED:  # asked more often, no server leads for long
                    wanted, asked = {"placement": {"preferred": name}}, clock.now()
                    await ask_jetstream(link, f"STREAM.LEADER.STEPDOWN.{stream}", wanted)
                await asyncio.sleep(0.1)


async def all_answer_reads(servers: Servers, stream: str) -> bool:
    """Whether those that follow answer as well: they begin two seconds after the stream was made."""
    subject = f"$JS.API.DIRECT.GET.{stream}"
    async with httpx.AsyncClient(trust_env=False, timeout=WITHIN) as http:
        for ports in servers.ports:
            shown = f"http://127.0.0.1:{ports.monitor}/subsz?subs=1&test={subject}"
            found = (await http.get(shown)).json()["subscriptions_list"]
            if all(each["subject"] != subject for each in found):
                return False
    return True


async def all_of(stream: Stream, subject: str) -> list[Entry]:
    """Return what there is to read."""
    return await answered(lambda: stream.read(subject, after=0))


cuts = pytest.mark.parametrize(
    "resets", [pytest.param(False, id="silent"), pytest.param(True, id="reset", marks=pytest.mark.slow)]
)


@cuts
async def test_what_is_stored_through_a_server_that_is_cut_off_is_never_acknowledged(
    parted: Parted, *, resets: bool
) -> None:
    alone, others = parted.alone.records, parted.others.records
    first, green = await others.store("red", b"1", last=0), await others.store("green", b"1", last=0)
    await led_by(parted.servers, FORMER)
    await parted.routes.isolate(FORMER, resets=resets)

    for subject, last in [("red", first), ("green", green), ("blue", 0)]:
        with pytest.raises(AnswerMissing):
            await alone.store(subject, b"alone", last=last, key="alone")
    second = await stored(others, "red", b"2", last=first, key="2")
    with pytest.raises((ClusterAway, Outdated)):  # it may not know yet that it leads no more
        await alone.store("red", b"alone", last=second, key="alone, behind the others")
    assert await all_of(alone, "red") == [Entry("red", first, b"1")]
    assert await all_of(others, "red") == [Entry("red", first, b"1"), Entry("red", second, b"2")]
    await parted.routes.mend(FORMER, resets=resets)

    await until(partial(same, alone, others, "red", [Entry("red", first, b"1"), Entry("red", second, b"2")]))
    await led_by(parted.servers, FORMER)
    with pytest.raises(Outdated):
        await stored(alone, "red", b"alone", last=first, key="alone")
    again = await stored(alone, "green", b"alone", last=green, key="alone")
    await until(
        partial(same, alone, others, "green", [Entry("green", green, b"1"), Entry("green", again, b"alone")])
    )
    new = await stored(alone, "blue", b"alone", last=0, key="alone")
    await until(partial(same, alone, others, "blue", [Entry("blue", new, b"alone")]))


async def same(one: Stream, other: Stream, subject: str, wanted: list[Entry]) -> bool:
    """Whether both ways lead to the same."""
    return await all_of(one, subject) == await all_of(other, subject) == wanted


@cuts
async def test_who_is_connected_to_a_server_that_is_cut_off_goes_to_another(
    own: Servers, routes: Routes, *, resets: bool
) -> None:
    where = parse_address(own.address)
    async with open_cluster(where) as cluster:
        first, left = await cluster.records.store("red", b"1", last=0), own.number_of(cluster.server)
        await routes.isolate(left, resets=resets)

        await stored(cluster.records, "red", b"2", last=first, key="2")
        async with open_cluster(where) as late:  # it tries the one that is cut off first
            await stored(late.records, "green", b"1", last=0, key="1")

            assert own.number_of(cluster.server) != left
            assert own.number_of(late.server) != left


async def test_reads_are_answered_while_a_server_is_silent(parted: Parted) -> None:
    others = parted.others.records
    sequence = await others.store("red", b"1", last=0)
    await led_by(parted.servers, FORMER)
    await until(partial(all_answer_reads, parted.servers, STREAMS[1]))
    await parted.routes.isolate(FORMER, resets=False)

    reading = (others.read("red", after=0) for _ in range(30))
    found = await asyncio.gather(*reading, return_exceptions=True)

    # Each is passed on to any server, and asked again: without that, a third to a half would have no answer.
    assert sum(each == [Entry("red", sequence, b"1")] for each in found) >= 27


@cuts
async def test_a_lease_is_neither_taken_nor_kept_through_a_server_that_is_cut_off(
    parted: Parted, *, resets: bool
) -> None:
    async with keeping("north", parted.alone) as north, keeping("south", parted.others) as south:
        assert await north.take("red", None)
        assert await south.take("green", None)
        await led_by(parted.servers, FORMER)
        await until(lambda: north.may_act("red"))
        await parted.routes.isolate(FORMER, resets=resets)

        taking = asyncio.create_task(taken_by(south, parted.others, "red"))
        while not taking.done():
            for room in {"red", "green", "blue"} - set(north):
                for seen in (None, await newest(parted.alone, room)):
                    with suppress(ClusterAway):
                        assert not await north.take(room, seen)
        await until(lambda: south.may_act("red"))
        assert not north.may_act("red")
        await parted.routes.mend(FORMER, resets=resets)

        await until(lambda: "red" not in north)
        assert not await north.take("red", await newest(parted.others, "red"))
        await until(partial(is_owned_by, parted.alone, "red", "south"))
        await until(lambda: south.may_act("red"))
        await south.give_up("red")
        await taken_by(north, parted.alone, "red")


@cuts
async def test_an_owner_accepts_nothing_through_a_server_that_is_cut_off(
    parted: Parted, *, resets: bool
) -> None:
    async with AsyncExitStack() as stack:
        north = await stack.enter_async_context(outbox(parted.alone, fence=1))
        await north.put([message("before")], 1.0)
        await led_by(parted.servers, FORMER)
        await parted.routes.isolate(FORMER, resets=resets)

        putting = [north.put([message(f"alone {number}")], 2.0) for number in range(3)]
        south = await stack.enter_async_context(outbox(parted.others, fence=2))
        for number in range(3):
            await south.put([message(f"south {number}")], 3.0)
        with pytest.raises((ClusterAway, OutboxTaken)):
            await stack.enter_async_context(outbox(parted.alone, fence=3, patience=0.0))
        await parted.routes.mend(FORMER, resets=resets)
        said = await asyncio.wait_for(asyncio.gather(*putting, return_exceptions=True), WITHIN)
        await south.put([message("after")], 4.0)

        assert {type(each) for each in said} <= {ClusterAway, AnswerMissing, OutboxTaken}
        with pytest.raises(OutboxTaken):
            await answered(lambda: north.put([message("late")], 5.0))
        reader = await stack.enter_async_context(outbox(parted.alone))
        keys = [row.message.id for row in await reader.rows()]
        assert keys == ["before", "south 0", "south 1", "south 2", "after"]


@asynccontextmanager
async def outbox(
    cluster: Cluster, *, fence: int | None = None, patience: float = WITHIN
) -> AsyncIterator[Outbox]:
    """Open a room's."""
    box = Outbox(RoomPlace(cluster, "red", writer="a test", fence=fence, patience=patience))
    try:
        await box.open()
        yield box
    finally:
        await box.close()
