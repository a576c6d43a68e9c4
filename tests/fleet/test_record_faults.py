"""What may go wrong with records at the worst moment: an answer, a rewriting, a reader that is behind."""

import asyncio
import random
from typing import Any

import pytest

from hangbot.clock import SystemClock
from hangbot.delivery.kept_sql import Change
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.record import OutboxRow
from hangbot.delivery.writes import Writes
from hangbot.fleet import room_records
from hangbot.fleet.records import decode
from hangbot.fleet.streams import ClusterAway, Entry, Outdated
from pytest_hangfm.simulation.streams import CALM, SimulatedServers, Weather
from tests.delivery.builders import DELIVERED, message
from tests.fleet.room_world import opened, reached, records_of, until


@pytest.fixture
def servers() -> SimulatedServers:
    return SimulatedServers(SystemClock(), random.Random(1))  # noqa: S311  no secret


async def found(servers: SimulatedServers) -> list[OutboxRow]:
    """Return what a reader finds that knows nothing yet."""
    async with opened(reached(servers)) as box:
        return await box.rows()


async def test_what_was_stored_without_an_answer_is_done_though_its_key_is_known_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pytest_hangfm.simulation.streams._WITHIN", 0.05)
    servers = SimulatedServers(SystemClock(), random.Random(1), keys=0.0)  # noqa: S311  no secret
    cluster = reached(servers)
    async with opened(cluster) as box:
        cluster.weather = Weather(unanswered=1.0)
        counting = asyncio.ensure_future(box.commit([], Writes([Change("app", "count", "1", was=None)]), 1.0))
        await until(lambda: bool(records_of(servers)))
        cluster.weather = CALM

        await counting  # once more, it would be a conflict

        await box.put([message()], 2.0)
    assert len(records_of(servers)) == 2


@pytest.mark.parametrize("is_stored", [True, False])
async def test_what_a_server_refused_that_leads_no_more_is_stored_once(
    servers: SimulatedServers, monkeypatch: pytest.MonkeyPatch, *, is_stored: bool
) -> None:
    cluster = reached(servers)
    store, read = cluster.records.store, cluster.records.read
    refusals, behind = iter(range(2)), iter(range(2))

    async def store_refused(*args: Any, **how: Any) -> int:  # noqa: ANN401  as of a stream
        left = next(refusals, None)
        if left is None or is_stored:
            sequence = await store(*args, **how)
        if left is not None:
            raise Outdated("another server leads, and this one does not know it")
        return sequence

    async def read_behind(*args: Any, **how: Any) -> list[Entry]:  # noqa: ANN401  likewise
        return await read(*args, **how) if next(behind, None) is None else []

    async with opened(cluster) as box, opened(reached(servers)) as other:
        await box.put([message("before")], 1.0)
        monkeypatch.setattr(cluster.records, "store", store_refused)
        monkeypatch.setattr(cluster.records, "read", read_behind)

        await box.commit([], Writes([Change("app", "count", "1", was=None)]), 2.0)  # once: or a conflict

        monkeypatch.undo()
        await box.put([message("after")], 3.0)
        rows = await box.rows()
        await other.put([message("another's")], 4.0)
        assert (await other.rows())[:-1] == rows


async def test_records_that_are_written_anew_in_part_have_replaced_nothing(
    servers: SimulatedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_records, "_LONG", 150)
    cluster = reached(servers)
    store, begun = cluster.records.store, asyncio.Event()

    async def store_the_first(subject: str, data: bytes, **how: Any) -> int:  # noqa: ANN401  as of a stream
        if begun.is_set():
            raise ClusterAway("it is away")
        begins = decode(data, subject).begins
        sequence = await store(subject, data, **how)
        if begins:
            begun.set()
        return sequence

    monkeypatch.setattr(cluster.records, "store", store_the_first)
    async with opened(cluster, patience=0.0) as box:
        for number in range(150):
            await box.put([message(f"m{number}")], 1.0)
        await until(begun.is_set)
        with pytest.raises(ClusterAway):
            await box.put([message("n")], 1.0)

    assert [row.message.id for row in await found(servers)] == [f"m{number}" for number in range(150)]


async def test_who_is_behind_what_was_written_anew_forgets_what_is_gone(
    servers: SimulatedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_records, "_LONG", 40)
    late = reached(servers)
    late.weather = Weather(unheard=1.0)
    async with opened(late) as behind, opened(reached(servers)) as box:
        await box.put([message("gone")], 1.0)
        await behind.put([message("known")], 1.0)
        await gone(box, "gone")
        for number in range(40):
            await box.put([message(f"m{number}")], 1.0)
        await until(lambda: records_of(servers)[0].begins)

        await behind.put([message("late")], 1.0)

        rows = await behind.rows()
    assert rows == await found(servers)
    assert [row.message.id for row in rows] == ["known", *(f"m{number}" for number in range(40)), "late"]


async def gone(box: Outbox, key: str) -> None:
    """Have a message delivered and forgotten."""
    await box.settle(key, DELIVERED, [], 2.0)
    await box.prune(10**9)


async def test_who_waits_for_an_answer_in_vain_is_closed_and_once_more(
    servers: SimulatedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hangbot.fleet.record_writer._CLOSE_WITHIN", 0.05)
    cluster = reached(servers)
    async with opened(cluster) as box:
        cluster.weather = Weather(lost=1.0)
        putting = asyncio.ensure_future(box.put([message()], 1.0))
        await asyncio.sleep(0)  # one turn: it has asked

    with pytest.raises(ClusterAway, match="not known"):
        await putting
    await box.close()
