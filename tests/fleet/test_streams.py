"""What a fleet asks of its cluster: the same of NATS and of the model that simulations use."""

import asyncio

import pytest

from hangbot.fleet.streams import Cluster, Entry, Outdated
from tests.fleet.conftest import Reached


@pytest.fixture(params=["on_nats", "simulated"])
def reached(request: pytest.FixtureRequest) -> Reached:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Reached)
    return found


async def expired(cluster: Cluster, subject: str) -> bool:
    return [entry.data for entry in await cluster.register.newest([subject])] == [None]


async def test_only_the_newest_is_followed_over_one_sequence_of_the_stream(reached: Reached) -> None:
    register = reached.one.register

    first = await register.store("lease.a", b"1", last=0)
    other = await reached.other.register.store("lease.b", b"2", last=0)
    again = await register.store("lease.a", b"3", last=first)

    assert 0 < first < other < again
    for last in (0, first, other, again + 1):
        with pytest.raises(Outdated):
            await register.store("lease.a", b"4", last=last)
    assert await register.store("lease.a", b"5", last=again) > again


async def test_the_newest_of_each_subject_and_of_a_kind_are_found_in_one_request(reached: Reached) -> None:
    register = reached.one.register
    a = await register.store("lease.a", b"1", last=0)
    b = await register.store("lease.b", b"2", last=0)
    worker = await register.store("worker.w-1", b"", last=0)

    async def there() -> bool:
        return len(await register.newest(["lease.*", "worker.*"])) == 3

    await reached.until(there)

    assert sorted(await register.newest(["lease.*"])) == [
        Entry("lease.a", a, b"1"),
        Entry("lease.b", b, b"2"),
    ]
    assert await register.newest(["lease.b", "lease.none", "wish.*"]) == [Entry("lease.b", b, b"2")]
    assert await register.newest(["worker.w-1"]) == [Entry("worker.w-1", worker, b"")]
    assert await register.newest(["none.*"]) == []
    assert await register.newest([]) == []


async def test_a_kind_of_more_than_a_thousand_is_found_whole(reached: Reached) -> None:
    register, names = reached.one.register, [f"lease.r{number}" for number in range(1_100)]
    for begin in range(0, len(names), 100):
        await asyncio.gather(*[register.store(name, b"", last=0) for name in names[begin : begin + 100]])

    async def there() -> bool:
        return len(await register.newest(names)) == len(names)

    await reached.until(there)

    assert sorted(entry.subject for entry in await register.newest(["lease.*"])) == sorted(names)


async def test_of_two_that_store_at_once_one_is_first(reached: Reached) -> None:
    stores = [
        cluster.register.store("lease.a", b"%d" % number, last=0)
        for number, cluster in enumerate([reached.one, reached.other] * 5)
    ]

    results = await asyncio.gather(*stores, return_exceptions=True)

    assert sorted(type(result).__name__ for result in results) == ["Outdated"] * 9 + ["int"]


async def test_what_is_stored_again_under_its_key_counts_once(reached: Reached) -> None:
    records = reached.one.records

    first = await records.store("room", b"1", last=0, key="k")
    second = await records.store("room", b"2", last=first)

    assert await reached.other.records.store("room", b"1", last=0, key="k") == first
    assert await records.store("room-2", b"1", last=0, key="k") > second  # a key is a subject's own
    assert [entry.sequence for entry in await records.read("room", after=0)] == [first, second]


async def test_what_is_stored_under_one_key_at_once_counts_once(reached: Reached) -> None:
    stores = [
        cluster.records.store("room", b"1", last=0, key="k") for cluster in [reached.one, reached.other] * 5
    ]

    assert len(set(await asyncio.gather(*stores))) == 1


async def test_what_expires_leaves_a_mark_that_is_to_be_followed(reached: Reached) -> None:
    register = reached.one.register
    first = await register.store("lease.a", b"1", last=0, seconds=1)

    await reached.until(lambda: expired(reached.other, "lease.a"))
    [mark] = await register.newest(["lease.a"])

    assert mark.sequence > first
    for last in (0, first):
        with pytest.raises(Outdated):
            await register.store("lease.a", b"2", last=last)
    assert await register.store("lease.a", b"2", last=mark.sequence) > mark.sequence


async def test_what_is_stored_anew_does_not_expire_with_what_it_follows(reached: Reached) -> None:
    register = reached.one.register
    first = await register.store("lease.a", b"1", last=0, seconds=1)
    second = await register.store("lease.a", b"2", last=first, seconds=60)

    await register.store("lease.b", b"", last=0, seconds=1)
    await reached.until(lambda: expired(reached.one, "lease.b"))

    assert await register.newest(["lease.a"]) == [Entry("lease.a", second, b"2")]


async def test_records_are_read_in_their_order_a_few_at_a_time(reached: Reached) -> None:
    records, last = reached.one.records, 0
    stored = []
    for number in range(5):
        last = await records.store("room", b"%d" % number, last=last)
        stored.append(Entry("room", last, b"%d" % number))
        await records.store(f"other-{number}", b"", last=0)

    found: list[Entry] = []

    async def all_read() -> bool:
        page = await reached.other.records.read("room", after=found[-1].sequence if found else 0, most=2)
        assert len(page) <= 2
        found.extend(page)
        return len(found) == 5

    await reached.until(all_read)

    assert found == stored
    assert await records.read("room", after=last) == []
    assert await records.read("none", after=0) == []


async def test_what_was_just_stored_elsewhere_is_found(reached: Reached) -> None:
    last = 0

    for number in range(50):
        stored = await reached.one.records.store("room", b"%d" % number, last=last)
        [entry, *_] = await reached.other.records.read("room", after=last)

        assert entry == Entry("room", stored, b"%d" % number)
        last = stored


async def test_what_is_forgotten_is_gone_and_the_rest_stays(reached: Reached) -> None:
    records, sequences = reached.one.records, [0]
    for _ in range(4):
        sequences.append(await records.store("room", b"", last=sequences[-1]))
    kept = await records.store("room-2", b"", last=0)

    await records.forget("room", before=sequences[3])
    await records.forget("room-3", before=0)

    async def gone() -> bool:
        return [entry.sequence for entry in await records.read("room", after=0)] == sequences[3:]

    await reached.until(gone)
    assert [entry.sequence for entry in await records.read("room-2", after=0)] == [kept]
    assert await records.store("room", b"", last=sequences[-1])


async def test_what_another_one_notifies_of_is_heard(reached: Reached) -> None:
    heard: list[int] = []

    async def came() -> bool:
        return bool(heard)

    async with reached.other.records.hearing("room", heard.append):
        first = await reached.one.records.store("room", b"", last=0)
        second = await reached.one.records.store("room", b"", last=first)
        await reached.one.records.notify("room-2", 5)
        await reached.one.records.notify("room", second)
        await reached.until(came)
    await reached.one.records.notify("room", second + 1)

    assert heard == [second]


async def test_the_largest_is_stored_and_what_is_larger_is_not_asked_for(reached: Reached) -> None:
    records = reached.one.records
    largest = b"x" * records.largest

    sequence = await records.store("room", largest, last=0, key="k" * 200)

    with pytest.raises(ValueError, match=str(records.largest)):
        await records.store("room", largest + b"x", last=sequence)
    assert await records.read("room", after=0) == [Entry("room", sequence, largest)]
