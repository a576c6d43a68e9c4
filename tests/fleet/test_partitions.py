"""A server that is cut from the others and still reached by a worker: it decides nothing."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import httpx
import pytest
import pytest_asyncio

from hangbot.clock import SystemClock
from hangbot.config.cluster import parse_address
from hangbot.errors import OutboxTaken
from hangbot.fleet.claim import Holder
from hangbot.fleet.leases import Leases, subject_of
from hangbot.fleet.nats_cluster import open_cluster, open_link
from hangbot.fleet.providing import ask_jetstream, found_stream
from hangbot.fleet.room_records import RoomRecords
from hangbot.fleet.servers import Servers, open_servers
from hangbot.fleet.streams import AnswerMissing, Cluster, ClusterAway, Entry, Outdated, Stream
from hangbot.ids import new_id
from tests.bounds import WITHIN
from tests.fleet.routes import Routes, open_routes

ROOM = "red"
FORMER = 0
"""The server that leads, until it is cut off."""


@dataclass(frozen=True)
class Parted:
    """Servers, the ways between them, and the cluster as it is reached through the one and through the others."""

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
    async with open_servers(route=routes) as servers:
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
    for _ in range(3):  # at each beginning servers tell others where a new one is
        await routes.isolate(FORMER, resets=True)
        await until(partial(are_remotes, own, FORMER, set()))
        for other in (1, 2):
            assert await remotes_of(own, other) == {f"n{3 - other}"}

        await routes.mend(FORMER, resets=False)

        for number, others in enumerate([{"n1", "n2"}, {"n0", "n2"}, {"n0", "n1"}]):
            await until(partial(are_remotes, own, number, others))


async def are_remotes(servers: Servers, number: int, others: set[str]) -> bool:
    """Whether a server is connected to these, and no others."""
    return await remotes_of(servers, number) == others


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that is to come to hold."""
    async with asyncio.timeout(WITHIN):
        while not await holds():
            await asyncio.sleep(0.05)
