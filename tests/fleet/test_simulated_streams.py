"""The model of the cluster keeps what the port promises, and goes wrong in each way that it is told to."""

import random

import pytest

from hangbot.fleet.streams import AnswerMissing, Cluster, ClusterAway, Entry, Outdated
from pytest_hangfm.manual_clock import ManualClock
from pytest_hangfm.simulation.streams import CALM, SimulatedCluster, SimulatedServers, Weather


class World:
    """Servers, and workers that reach them; each wait moves the time."""

    def __init__(self) -> None:
        self.clock = ManualClock(auto=True)
        self.rng = random.Random(7)  # noqa: S311  the same draws each time
        self.servers = SimulatedServers(self.clock, self.rng)

    def reached(self, weather: Weather = CALM) -> SimulatedCluster:
        return SimulatedCluster(self.servers, self.clock, self.rng, weather)

    def standing(self, subject: str) -> list[Entry]:
        self.servers.register.settle()
        return self.servers.register.newest([subject])


@pytest.fixture
def world() -> World:
    return World()


def test_it_is_a_cluster(world: World) -> None:
    cluster: Cluster = world.reached()

    assert cluster.name


async def test_only_the_newest_is_followed_over_one_sequence_of_the_stream(world: World) -> None:
    register = world.reached().register

    first = await register.store("lease.a", b"1", last=0)
    other = await register.store("lease.b", b"2", last=0)
    again = await register.store("lease.a", b"3", last=first)

    with pytest.raises(Outdated):
        await register.store("lease.a", b"4", last=first)
    assert first < other < again
    assert await register.newest(["lease.*"]) == [
        Entry("lease.a", again, b"3"),
        Entry("lease.b", other, b"2"),
    ]
    assert await register.newest(["lease.b", "lease.none", "worker.*"]) == [Entry("lease.b", other, b"2")]


async def test_what_expires_leaves_a_mark_that_is_followed_until_it_goes_too(world: World) -> None:
    register = world.reached().register
    first = await register.store("lease.a", b"1", last=0, seconds=3)

    await world.clock.sleep(2.9)
    before = await register.newest(["lease.a"])
    await world.clock.sleep(0.2)
    [mark] = await register.newest(["lease.a"])

    assert before == [Entry("lease.a", first, b"1")]
    assert mark.data is None
    assert mark.sequence > first
    with pytest.raises(Outdated):
        await register.store("lease.a", b"2", last=0)
    await world.clock.sleep(61)
    assert await register.newest(["lease.a"]) == []
    assert await register.store("lease.a", b"2", last=0)


async def test_what_is_stored_again_in_time_does_not_expire(world: World) -> None:
    register = world.reached().register
    last = await register.store("lease.a", b"1", last=0, seconds=3)

    for _ in range(5):
        await world.clock.sleep(2)
        last = await register.store("lease.a", b"1", last=last, seconds=3)

    assert await register.newest(["lease.a"]) == [Entry("lease.a", last, b"1")]


async def test_under_one_key_it_is_stored_once_and_the_answer_is_the_first_ones(world: World) -> None:
    records = world.reached().records

    first = await records.store("room", b"1", last=0, key="one")
    again = await records.store("room", b"1", last=0, key="one")

    assert again == first
    assert await records.read("room", after=0) == [Entry("room", first, b"1")]


async def test_records_are_read_in_order_and_forgotten(world: World) -> None:
    records = world.reached().records
    last = 0
    for n in range(5):
        last = await records.store("room", b"%d" % n, last=last)

    some = await records.read("room", after=1, most=2)
    await records.forget("room", before=4)

    assert [record.data for record in some] == [b"1", b"2"]
    assert [record.data for record in await records.read("room", after=0)] == [b"3", b"4"]


async def test_a_request_that_is_lost_stores_nothing(world: World) -> None:
    with pytest.raises(AnswerMissing):
        await world.reached(Weather(lost=1)).register.store("lease.a", b"1", last=0)

    assert world.standing("lease.a") == []
    assert world.clock.now() >= 1_002


async def test_an_answer_that_is_lost_leaves_what_was_stored(world: World) -> None:
    with pytest.raises(AnswerMissing):
        await world.reached(Weather(unanswered=1)).register.store("lease.a", b"1", last=0)

    assert [stored.data for stored in world.standing("lease.a")] == [b"1"]


async def test_a_late_request_is_done_after_its_caller_gave_up(world: World) -> None:
    with pytest.raises(AnswerMissing):
        await world.reached(Weather(late=1)).register.store("lease.a", b"1", last=0, seconds=30)
    before = world.standing("lease.a")
    await world.clock.sleep(10)

    assert before == []
    assert [stored.data for stored in world.standing("lease.a")] == [b"1"]
    await world.clock.sleep(31)
    assert [stored.data for stored in world.standing("lease.a")] == [None]


async def test_a_late_request_that_was_overtaken_stores_nothing(world: World) -> None:
    with pytest.raises(AnswerMissing):
        await world.reached(Weather(late=1)).register.store("lease.a", b"late", last=0)
    await world.reached().register.store("lease.a", b"first", last=0)
    await world.clock.sleep(10)

    assert [stored.data for stored in world.standing("lease.a")] == [b"first"]


async def test_reads_may_be_behind_and_stores_are_not(world: World) -> None:
    register = world.reached(Weather(stale=10)).register
    first = await register.store("lease.a", b"1", last=0)

    read = [bool(await register.newest(["lease.a"])) for _ in range(20)]
    await world.clock.sleep(1)
    later = [bool(await register.newest(["lease.a"])) for _ in range(50)]

    assert read == [False] * 20
    assert True in later
    assert False in later
    assert await register.store("lease.a", b"2", last=first)


async def test_away_nothing_is_asked(world: World) -> None:
    cluster = world.reached()
    cluster.away = True

    with pytest.raises(ClusterAway):
        await cluster.register.store("lease.a", b"1", last=0)
    with pytest.raises(ClusterAway):
        await cluster.records.read("room", after=0)

    assert world.standing("lease.a") == []


async def test_a_hint_is_given_of_what_another_one_notifies_of_unless_it_is_lost(world: World) -> None:
    hears, deaf, other = world.reached(), world.reached(Weather(unheard=1)), world.reached()
    heard: list[str] = []

    async with (
        hears.records.hearing("room", lambda _: heard.append("hears")),
        deaf.records.hearing("room", lambda _: heard.append("deaf")),
    ):
        await other.records.notify("room", 1)
        await other.records.notify("another", 2)
        await world.clock.sleep(0)
    await other.records.notify("room", 3)

    assert heard == ["hears"]


async def test_it_may_be_slow_to_the_bound_of_a_call(world: World) -> None:
    register = world.reached(Weather(slow=1.5)).register
    answered = missing = 0

    for n in range(100):
        begun = world.clock.now()
        try:
            await register.store(f"lease.{n}", b"1", last=0)
            answered += 1
        except AnswerMissing:
            missing += 1
        assert world.clock.now() - begun <= 2.000001

    assert answered
    assert missing
    assert len(world.standing("lease.*")) == 100
