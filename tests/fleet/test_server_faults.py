"""Servers that are killed, stand still or go away: what was stored is there, and once."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial

import pytest
import pytest_asyncio

from hangbot.clock import SystemClock
from hangbot.config.cluster import parse_address
from hangbot.exit_codes import CANNOT_TELL
from hangbot.fleet.claim import Claim
from hangbot.fleet.lease import LASTS
from hangbot.fleet.nats_cluster import open_cluster, open_link
from hangbot.fleet.providing import ask_jetstream, found_stream
from hangbot.fleet.servers import Servers
from hangbot.fleet.streams import AnswerMissing, Cluster, ClusterAway, Entry, Stream
from tests.bounds import WITHIN
from tests.fleet.keeping import keeping, newest, taken_by, until
from tests.fleet.processes import open_quick_servers
from tests.fleet.proofs.lag import Lag
from tests.fleet.storing import store_or_find, stored

STREAM = "hangbot-records"
WRITERS = 8
CALM = 0.25
"""Seconds for which this process may stand still on a machine of whose times anything is said."""


@pytest_asyncio.fixture
async def own(nats_server: str) -> AsyncIterator[Servers]:
    """Servers that a test may break."""
    assert nats_server
    async with open_quick_servers() as servers:
        yield servers


class Writer:
    """Stores one record after the other, each until it is acknowledged, or seen to be there."""

    def __init__(self, stream: Stream, subject: str) -> None:
        self.stream, self.subject = stream, subject
        self.stored: list[Entry] = []
        self.failed = 0
        self._more = asyncio.Condition()

    async def has(self, many: int) -> None:
        """Wait until so many are stored."""
        async with self._more:
            await self._more.wait_for(lambda: len(self.stored) >= many)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            number, last = len(self.stored), self.stored[-1].sequence if self.stored else 0
            data = b"%d" % number
            try:
                sequence = await store_or_find(self.stream, self.subject, data, last=last, key=str(number))
            except ClusterAway:
                self.failed += 1
                await asyncio.sleep(0.02)
            else:
                async with self._more:
                    self.stored.append(Entry(self.subject, sequence, data))
                    self._more.notify_all()


async def all_of(stream: Stream, subject: str) -> list[Entry]:
    found: list[Entry] = []
    while page := await stream.read(subject, after=found[-1].sequence if found else 0):
        found += page
    return found


async def leader_of(servers: Servers) -> int:
    """Return which server leads the records, once one does."""
    end = SystemClock().now() + WITHIN
    while SystemClock().now() < end:
        with suppress(ClusterAway):
            async with open_link(parse_address(servers.address), within=0.5) as link:
                found = await found_stream(link, STREAM)
                if found and (name := found["cluster"].get("leader")):
                    return int(name.removeprefix("n"))
        await asyncio.sleep(0.05)
    raise AssertionError("no server leads")


async def stored_during(servers: Servers, trouble: Callable[[], Awaitable[None]]) -> int:
    """Store while there is trouble, compare what is there with what was acknowledged; return the failures."""
    async with open_cluster(parse_address(servers.address)) as cluster:
        writers = [Writer(cluster.records, f"room-{number}") for number in range(WRITERS)]
        stop = asyncio.Event()
        tasks = [asyncio.create_task(writer.run(stop)) for writer in writers]
        await _grown(writers, 20)
        await trouble()
        await _grown(writers, 20)
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), WITHIN)

        for writer in writers:
            assert await all_of(cluster.records, writer.subject) == writer.stored
    return sum(writer.failed for writer in writers)


async def _grown(writers: list[Writer], by: int) -> None:
    wanted = [len(writer.stored) + by for writer in writers]
    async with asyncio.timeout(WITHIN):
        for writer, many in zip(writers, wanted, strict=True):
            await writer.has(many)


async def test_the_leader_is_killed_during_stores_and_comes_back(own: Servers) -> None:
    async def trouble() -> None:
        leader = await leader_of(own)
        await own.kill(leader)
        assert await leader_of(own) != leader
        own.start(leader)

    assert await stored_during(own, trouble)


async def test_the_servers_are_restarted_one_after_the_other_during_stores(own: Servers) -> None:
    async def trouble() -> None:
        for number in range(3):
            await own.stop(number)
            own.start(number)
            await own.ready()

    await stored_during(own, trouble)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_all_servers_are_killed_at_once_again_and_again(own: Servers) -> None:
    async def trouble() -> None:
        for _ in range(5):
            for number in range(3):
                own.signal(number, signal.SIGKILL)
            for number in range(3):
                await own.kill(number)
                own.start(number)
            await own.ready()

    assert await stored_during(own, trouble)


async def test_a_server_that_stands_still_is_left_before_a_lease_could_end(own: Servers) -> None:
    async with open_cluster(parse_address(own.address)) as cluster:
        last = await cluster.register.store("lease.a", b"1", last=0, seconds=3)
        key = str(last)
        connected = own.number_of(cluster.server)
        await _led_by_others(own, connected)

        await own.pause(connected)
        try:
            lag, begun = Lag(), SystemClock().now()
            watching = asyncio.create_task(lag.watch(), name="the loop")
            with pytest.raises(AnswerMissing):
                await cluster.register.store("lease.a", b"2", last=last, key=key, seconds=3)
            again = await cluster.register.store("lease.a", b"2", last=last, key=key, seconds=3)
            took = SystemClock().now() - begun
        finally:
            own.resume(connected)
            watching.cancel()

    assert again > last
    assert took < (2 if lag.longest < CALM else WITHIN)
    assert own.number_of(cluster.server) != connected


async def _led_by_others(servers: Servers, number: int) -> None:
    """Have another server lead the register."""
    async with open_link(parse_address(servers.address)) as link, asyncio.timeout(WITHIN):
        while (found := await found_stream(link, "KV_hangbot")) and found["cluster"].get("leader") in {
            f"n{number}",
            None,
        }:
            await ask_jetstream(link, "STREAM.LEADER.STEPDOWN.KV_hangbot")
            await asyncio.sleep(0.05)


async def test_without_a_majority_nothing_is_stored_and_with_one_again_it_is(own: Servers) -> None:
    async with open_cluster(parse_address(own.address), within=0.5) as cluster:
        first = await cluster.records.store("room", b"1", last=0)
        for number in (0, 1):
            await own.kill(number)

        with pytest.raises(ClusterAway):
            await cluster.records.store("room", b"2", last=first, key="k")

        own.start(0)
        second = await stored(cluster.records, "room", b"2", last=first, key="k")
        assert await all_of(cluster.records, "room") == [
            Entry("room", first, b"1"),
            Entry("room", second, b"2"),
        ]


async def test_who_hears_goes_on_hearing_behind_another_connection(own: Servers) -> None:
    heard: asyncio.Queue[int] = asyncio.Queue()
    async with (
        open_cluster(parse_address(own.address)) as cluster,
        cluster.records.hearing("room", heard.put_nowait),
    ):
        await own.stop(own.number_of(cluster.server))

        assert await asyncio.wait_for(heard.get(), WITHIN) == 0  # something may have been missed
        said = 0
        async with asyncio.timeout(WITHIN):
            while not said:  # once more, where the next server was left, too
                await cluster.records.notify("room", 7)
                with suppress(TimeoutError):
                    said = await asyncio.wait_for(heard.get(), 0.1)
        assert said == 7


@pytest.mark.slow
async def test_servers_that_are_full_end_no_lease_keeper_which_goes_on_when_they_have_room(
    own: Servers,
) -> None:
    async def with_room_for(largest: str) -> None:
        for number in range(len(own)):
            await own.stop(number)
            file = own.folder / f"n{number}.conf"
            lines = file.read_text(encoding="utf-8").splitlines()
            rest = [line for line in lines if "max_file_store" not in line]
            place = rest.index("jetstream {") + 1
            file.write_text(
                "\n".join([*rest[:place], f"  max_file_store: {largest}", *rest[place:]]), "utf-8"
            )
        own.start_all()
        await own.ready()

    await with_room_for("20MB")
    async with open_cluster(parse_address(own.address)) as cluster, keeping("north", cluster) as north:
        await taken_by(north, cluster, "red")

        await fill(cluster.records)
        await until(lambda: not north.may_act("red"))
        await asyncio.sleep(3 * LASTS)  # whatever full servers answer, they have answered it by then
        await with_room_for("1GB")

        await taken_by(north, cluster, "red")
        assert north.may_act("red")


@pytest.mark.slow
async def test_what_is_read_where_no_server_leads_is_not_shown_as_well(own: Servers) -> None:
    async def status() -> tuple[int, str]:
        command = [sys.executable, "-m", "hangbot", "fleet", "status"]
        with_servers = os.environ | {"HANGBOT_OUTBOX": own.address}
        ended = await asyncio.create_subprocess_exec(*command, env=with_servers, stderr=subprocess.PIPE)
        _, said = await asyncio.wait_for(ended.communicate(), WITHIN)
        assert ended.returncode is not None
        return ended.returncode, said.decode()

    async with open_cluster(parse_address(own.address)) as cluster, keeping("north", cluster) as north:
        await taken_by(north, cluster, "red")
        north.say("red", ready=True, queued=0)
        await until(partial(is_ready, cluster, "red"))
        well = await status()

        for number in (1, 2):
            await own.stop(number)

        async with asyncio.timeout(WITHIN):
            while (found := await status())[0] != CANNOT_TELL:
                pass  # a leader does not know at once that it is alone
    assert well == (0, "")
    assert "`hangbot fleet check`" in found[1]


async def is_ready(cluster: Cluster, room: str) -> bool:
    """Whether a room's lease says so."""
    found = await newest(cluster, room)
    claim = Claim.from_bytes(found.data) if found and found.data else None
    return claim is not None and claim.ready


async def fill(stream: Stream) -> None:
    """Store until nothing is taken any more."""
    last = 0
    with suppress(ClusterAway):
        while True:
            last = await stream.store("filler", bytes(500_000), last=last, key=str(last))
