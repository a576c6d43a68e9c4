"""A room's outbox in the cluster: what only this place has; the rest is in `tests/delivery`, for both."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from hangbot.clock import SystemClock
from hangbot.delivery.kept_sql import Change, TimerChange
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.writes import Writes
from hangbot.errors import OutboxTaken, OutboxUnusable, StoreConflict
from hangbot.fleet import room_records
from hangbot.fleet.records import NEEDS, VERSION, Record, Rows, decode, encode
from hangbot.fleet.room_outbox import RoomPlace
from hangbot.fleet.room_records import RoomRecords
from hangbot.fleet.streams import ClusterAway
from pytest_hangfm.simulation.streams import SimulatedServers, Weather
from tests.bounds import WITHIN
from tests.delivery.builders import DELIVERED, message
from tests.fleet.room_world import ROOM, opened, reached, records_of, until


@pytest.fixture
def servers() -> SimulatedServers:
    return SimulatedServers(SystemClock(), random.Random(1))  # noqa: S311  no secret


@pytest_asyncio.fixture
async def outbox(servers: SimulatedServers) -> AsyncIterator[Outbox]:
    async with opened(reached(servers)) as box:
        yield box


async def test_what_is_written_together_is_one_record(servers: SimulatedServers, outbox: Outbox) -> None:
    writes = Writes([Change("app", "count", "1")], [TimerChange("app", "t", 50.0, '"ring"')])

    await outbox.commit([[message("a")], [message("b")]], writes, 10.0)

    (record,) = records_of(servers)
    assert {rows.table for rows in record.rows} == {"message", "kept", "timer"}
    async with opened(reached(servers)) as again:
        assert [row.message.id for row in await again.rows()] == ["a", "b"]


async def test_what_waits_for_the_same_answer_is_one_record(
    servers: SimulatedServers, outbox: Outbox
) -> None:
    await asyncio.gather(*(outbox.put([message(f"m{number}")], 10.0) for number in range(50)))

    assert len(records_of(servers)) < 5
    assert len(await outbox.rows()) == 50


async def test_two_that_write_at_once_are_put_in_order_and_lose_nothing(servers: SimulatedServers) -> None:
    async with opened(reached(servers, 2)) as one, opened(reached(servers, 3)) as two:
        await asyncio.gather(
            *(
                box.put([message(f"{name}{number}")], 10.0)
                for number in range(20)
                for name, box in (("a", one), ("b", two))
            )
        )
        seen = [[row.message.id for row in await box.rows()] for box in (one, two)]

    async with opened(reached(servers)) as third:
        there = [row.message.id for row in await third.rows()]
    assert len(there) == 40
    assert all(ids == there[: len(ids)] for ids in seen)


async def test_one_id_of_two_is_one_message(servers: SimulatedServers) -> None:
    async with opened(reached(servers, 2)) as one, opened(reached(servers, 3)) as two:
        await asyncio.gather(*(box.put([message("same")], 10.0) for box in (one, two, one, two)))

        assert [row.message.id for row in await two.rows()] == ["same"]
    async with opened(reached(servers)) as third:
        assert [row.message.id for row in await third.rows()] == ["same"]


async def test_what_another_one_changed_is_a_conflict(servers: SimulatedServers) -> None:
    async with opened(reached(servers, 2)) as one, opened(reached(servers, 3)) as two:
        await one.commit([], Writes([Change("app", "count", "1", was=None)]), 1.0)

        with pytest.raises(StoreConflict):
            await two.commit([[message()]], Writes([Change("app", "count", "1", was=None)]), 1.0)

        assert await two.rows() == []
    assert [rows.table for record in records_of(servers) for rows in record.rows] == ["kept"]


@pytest.mark.parametrize("seed", range(5))
async def test_answers_that_are_lost_double_nothing(
    servers: SimulatedServers, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("pytest_hangfm.simulation.streams._WITHIN", 0.02)
    monkeypatch.setattr("pytest_hangfm.simulation.streams._LATE", 0.06)
    monkeypatch.setattr("hangbot.fleet.patience._AGAIN_AFTER", 0.002)
    cluster = reached(servers, seed)
    cluster.weather = Weather(slow=0.002, lost=0.1, late=0.1, unanswered=0.2, unheard=0.5)

    async with opened(reached(servers)) as other, opened(cluster) as box:
        for number in range(30):
            await box.put([message(f"m{number}")], 10.0)
            await other.put([message(f"o{number}")], 10.0)
        mine = [row.message.id for row in await box.rows() if row.message.id.startswith("m")]

    async with opened(reached(servers)) as again:
        there = [row.message.id for row in await again.rows()]
    assert mine == [f"m{number}" for number in range(30)]
    assert sorted(there) == sorted([*mine, *(f"o{number}" for number in range(30))])


# -- who owns the room


async def test_an_earlier_owner_can_write_nothing(servers: SimulatedServers) -> None:
    async with opened(reached(servers), fence=7) as earlier:
        await earlier.put([message("before")], 1.0)
        async with opened(reached(servers), fence=9) as owner:
            with pytest.raises(OutboxTaken, match="is lost"):
                await earlier.put([message("after")], 2.0)
            with pytest.raises(OutboxTaken):
                await earlier.claim("room")

            await owner.put([message("mine")], 3.0)
            assert [row.message.id for row in await owner.rows()] == ["before", "mine"]
        _, lost = await earlier.place.look()
    assert lost is not None
    assert "lost" in lost


async def test_an_owner_hears_of_others_and_not_of_itself(
    servers: SimulatedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hangbot.fleet.room_outbox._OWNER_LOOKS", 10 * WITHIN)
    heard: list[str] = []
    async with opened(reached(servers), fence=7) as earlier, opened(reached(servers)) as command:
        with earlier.place.noticing(lambda: heard.append("something")):
            await earlier.put([message("mine")], 1.0)
            async with asyncio.timeout(WITHIN):
                while not await command.rows():  # noqa: ASYNC110  there is no event to wait for: it looks
                    await asyncio.sleep(0.01)
            own = [*heard]

            await command.put([message("another's")], 2.0)
            await until(lambda: bool(heard))
            others, _ = await earlier.place.look()

            heard.clear()
            async with opened(reached(servers), fence=9):
                await until(lambda: bool(heard))
                _, lost = await earlier.place.look()

    assert (own, others) == ([], 1)
    assert lost


async def test_an_older_fence_is_refused_at_the_opening(servers: SimulatedServers) -> None:
    async with opened(reached(servers), fence=9):
        with pytest.raises(OutboxTaken):
            async with opened(reached(servers), fence=7):
                raise AssertionError


async def test_a_command_writes_beside_the_owner(servers: SimulatedServers) -> None:
    async with opened(reached(servers), fence=7) as owner:
        noticed = asyncio.Event()
        with owner.place.noticing(noticed.set):
            async with opened(reached(servers)) as command:
                await command.put([message("asked")], 1.0)
            async with asyncio.timeout(WITHIN):
                await noticed.wait()

        row = await owner.claim("room")
    assert row is not None
    assert row.message.id == "asked"


# -- the cluster goes away


async def test_without_the_cluster_nothing_is_accepted_and_what_must_be_waits(
    servers: SimulatedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hangbot.fleet.patience._SHOWN_AFTER", 0.05)
    cluster = reached(servers)
    async with opened(cluster, patience=60.0) as box:
        await box.put([message("m")], 1.0)
        cluster.away = True
        settling = asyncio.ensure_future(box.settle("m", DELIVERED, [], 2.0))
        await until(lambda: bool(box.place.conditions.all()))

        with pytest.raises(ClusterAway):
            await box.put([message("n")], 2.0)
        assert not settling.done()
        (red,) = map(str, box.place.conditions.all())
        assert "does not answer" in red

        cluster.away = False
        await settling
        assert [row.state for row in await box.rows()] == ["delivered"]
        assert not box.place.conditions.all()


async def test_a_command_does_not_wait_for_ever(servers: SimulatedServers) -> None:
    cluster = reached(servers)
    async with opened(cluster, patience=0.05) as box:
        cluster.away = True
        with pytest.raises(ClusterAway):
            await box.put([message("n")], 2.0)


async def test_closing_is_bounded(servers: SimulatedServers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hangbot.fleet.record_writer._CLOSE_WITHIN", 0.05)
    cluster = reached(servers)
    async with opened(cluster, patience=60.0) as box:
        await box.put([message("m")], 1.0)
        cluster.away = True
        settling = asyncio.ensure_future(box.settle("m", DELIVERED, [], 2.0))
        await asyncio.sleep(0)  # one turn: it has asked

    with pytest.raises(ClusterAway):
        await settling


async def test_who_goes_on_under_a_later_lease_while_it_is_closed_is_refused_in_words(
    servers: SimulatedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hangbot.fleet.record_writer._CLOSE_WITHIN", 0.05)
    cluster = reached(servers)
    place = RoomPlace(cluster, ROOM, writer="a test", fence=1)
    await place.open()
    cluster.away = True
    renewing = asyncio.ensure_future(place.renew(2))
    await asyncio.sleep(0)  # one turn: it is asked for

    await place.close()

    for late in (renewing, asyncio.ensure_future(place.renew(3))):
        with pytest.raises(OutboxUnusable, match=r"is closed|does not answer"):
            await late


async def test_who_is_cancelled_while_it_closes_hears_of_nothing_any_more(servers: SimulatedServers) -> None:
    cluster = reached(servers)
    async with opened(cluster, patience=60.0) as box:
        await box.put([message("m")], 1.0)
        cluster.away = True
        settling = asyncio.ensure_future(box.settle("m", DELIVERED, [], 2.0))
        closing = asyncio.ensure_future(box.close())
        await asyncio.sleep(0)  # one turn: it waits for the answer

        closing.cancel()

        await asyncio.gather(closing, settling, return_exceptions=True)
        assert [*servers.heard.values()] == [[]]


async def test_records_that_the_cluster_has_lost_are_told_and_not_waited_for(
    servers: SimulatedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hangbot.fleet.patience._BEHIND_FOR", 0.05)
    monkeypatch.setattr("hangbot.fleet.patience._AGAIN_AFTER", 0.01)
    cluster = reached(servers)
    async with opened(cluster) as box:
        await box.put([message("lost")], 1.0)
        served = reached(SimulatedServers(SystemClock(), random.Random(1))).records  # noqa: S311  no secret
        monkeypatch.setattr(cluster.records, "store", served.store)
        monkeypatch.setattr(cluster.records, "read", served.read)

        async with asyncio.timeout(WITHIN):
            with pytest.raises(OutboxUnusable, match=f"lost records of the room {ROOM}"):
                await box.settle("lost", DELIVERED, [], 2.0)

        assert [row.state for row in await box.rows()] == ["queued"]


# -- the records


async def test_many_records_are_written_anew_as_few(
    servers: SimulatedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_records, "_LONG", 40)
    async with opened(reached(servers, 9)) as late:
        async with opened(reached(servers)) as box:
            for number in range(100):
                await box.put([message(f"m{number}")], 10.0)
                if number % 2:
                    await box.settle(f"m{number}", DELIVERED, [], 20.0)
            await box.prune(10**9)
            expected = await box.rows()

        await late.put([message("late")], 30.0)  # what it knew was forgotten meanwhile
        read = await late.rows()
    async with opened(reached(servers)) as again:
        after = await again.rows()

    assert len(records_of(servers)) < 60
    assert read == after
    assert after[:-1] == expected


async def test_what_is_too_large_for_a_record_is_refused_and_the_rest_is_kept(
    servers: SimulatedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = reached(servers)
    monkeypatch.setattr(cluster.records, "largest", 4000)
    async with opened(cluster) as box:
        value = json.dumps("".join(random.Random(3).choices("abcdefgh0123456789", k=40_000)))  # noqa: S311  no secret
        large = box.commit([], Writes([Change("app", "large", value)]), 1.0)

        done = await asyncio.gather(
            large, *(box.put([message(f"m{number}")], 1.0) for number in range(40)), return_exceptions=True
        )

        assert isinstance(done[0], OutboxUnusable)
        assert "max_payload" in done[0].remedy
        assert len(await box.rows()) == 40


async def test_a_record_of_a_newer_hangbot_is_refused_by_name(servers: SimulatedServers) -> None:
    newer = json.dumps({"v": VERSION + 2, "needs": NEEDS + 1, "what": "is new"}).encode()
    servers.records.store(ROOM, newer, last=0, key="", seconds=None)

    with pytest.raises(OutboxUnusable, match=f"{ROOM} was written by a newer hangbot"):
        async with opened(reached(servers)):
            raise AssertionError


async def test_what_a_neighbouring_version_adds_is_left_out(
    servers: SimulatedServers, outbox: Outbox
) -> None:
    await outbox.put([message()], 1.0)
    more = Rows("message", ["seq", "mood"], [[1, "good"]], whole=False)
    head = json.loads(encode(Record("k", 1, "newer", 0, rows=[more, Rows("moods", ["id"], [[1]])])))
    servers.records.store(ROOM, json.dumps(head | {"v": VERSION + 1}).encode(), last=1, key="", seconds=None)

    async with opened(reached(servers)) as box:
        assert [row.message.id for row in await box.rows()] == ["m"]


async def test_what_is_no_record_is_refused(servers: SimulatedServers) -> None:
    servers.records.store(ROOM, b"hello", last=0, key="", seconds=None)

    with pytest.raises(OutboxUnusable, match="no hangbot's"):
        async with opened(reached(servers)):
            raise AssertionError


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
VALUES = st.none() | NUMBERS | st.text(st.characters(exclude_categories=["Cs"]))
ROWS = st.lists(st.lists(VALUES, min_size=2, max_size=2), max_size=60)


@given(rows=ROWS, gone=ROWS, begins=st.booleans())
def test_a_record_is_read_as_it_was_written(
    *, rows: list[list[Any]], gone: list[list[Any]], begins: bool
) -> None:
    there, left = (Rows("kept", ["key", "value"], values) for values in (rows, gone))
    record = Record("k", 7, "a worker", 3, begins, [there], [left])

    assert decode(encode(record), ROOM) == record


async def test_a_name_that_a_row_has_is_never_changed(servers: SimulatedServers) -> None:
    records = RoomRecords(reached(servers).records, ROOM, writer="a test", fence=None, keys=lambda: "k")
    records.replica.database.execute("INSERT INTO timer (space, id, due, what) VALUES ('a', 'b', 1, '')")

    with pytest.raises(Exception, match="never changed"):
        records.replica.database.execute("UPDATE timer SET id = 'c'")
    records.close()


async def test_a_place_that_is_closed_says_so_and_closes_twice(servers: SimulatedServers) -> None:
    place = RoomPlace(reached(servers), ROOM, writer="a test")
    await place.open()
    await place.close()
    await place.close()

    with pytest.raises(OutboxUnusable, match="is closed"):
        await place.read(lambda _: None)
