"""A room's bot on the worker that owns it: it runs until it is stopped, and every end is told by its kind."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from hangbot.cli import owned_bot
from hangbot.cli.owned_bot import Bots, run_owned
from hangbot.clock import SystemClock
from hangbot.exit_codes import FAILED, PUT_OUT
from hangbot.fleet.folder import RoomConfig
from hangbot.fleet.keys import room_key
from hangbot.fleet.room_life import OwnedRoom, RoomEnd
from hangbot.hangfm.permit import ALWAYS
from hangbot.logs import set_up
from hangbot.redact import Redactor
from pytest_hangfm.simulation.streams import SimulatedCluster, SimulatedServers
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hangbot.config import Settings
    from hangbot.sandbox import Sandbox


@pytest.fixture
def cluster() -> SimulatedCluster:
    clock, rng = SystemClock(), random.Random(1)  # noqa: S311  no secret
    return SimulatedCluster(SimulatedServers(clock, rng), clock, rng)


@pytest.fixture
def room(cluster: SimulatedCluster, hangfm_settings: Settings) -> OwnedRoom:
    config = RoomConfig(room_key(hangfm_settings), "red", hangfm_settings, "digest")
    return OwnedRoom(config, cluster, 7, ALWAYS, lambda **_: None)


@asynccontextmanager
async def running(room: OwnedRoom, bots: Bots | None = None) -> AsyncIterator[asyncio.Task[RoomEnd]]:
    bots = bots or Bots("north", set_up("text", "info", Redactor()), None)
    task = asyncio.create_task(run_owned(room, bots))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_while_it_runs_its_workers_port_shows_it_and_it_opens_none_of_its_own(
    cluster: SimulatedCluster, hangfm_settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = hangfm_settings.with_changes(status_port=0)
    room = OwnedRoom(
        RoomConfig(room_key(settings), "red", settings, "digest"), cluster, 7, ALWAYS, lambda **_: None
    )
    bots = Bots("north", set_up("text", "info", Redactor()), None)

    async with running(room, bots):
        await asyncio.wait_for(room.ready.wait(), WITHIN)
        [source] = bots.shown
        labels, ready, waiting = source.labels, source.health().ready, (await source.queue()).waiting

    assert labels == {"bot": "red", "room": settings.room_uuid, "worker": "north"}
    assert (ready, waiting) == (True, 0)
    assert bots.shown == []
    assert "healthz" not in capsys.readouterr().err


async def test_it_runs_until_it_is_stopped_and_is_asked_over_the_cluster(
    room: OwnedRoom, cluster: SimulatedCluster
) -> None:
    async with running(room) as task:
        await asyncio.wait_for(room.ready.wait(), WITHIN)
        answer = await cluster.ask(room.config.key, "/healthz", within=WITHIN, largest=2**20)
        nothing = await cluster.ask(room.config.key, "/nothing", within=WITHIN, largest=1)
        assert room.stop
        room.stop()
        end = await asyncio.wait_for(task, WITHIN)

    assert answer
    assert json.loads(answer)["room"] == room.config.settings.room_uuid
    assert nothing is None
    assert end == RoomEnd()
    assert await cluster.ask(room.config.key, "/healthz", within=WITHIN, largest=1) is None


async def test_put_out_of_the_room_it_says_so(room: OwnedRoom, hangfm_sandbox: Sandbox) -> None:
    async with running(room) as task:
        await asyncio.wait_for(room.ready.wait(), WITHIN)
        await hangfm_sandbox.kick(hangfm_sandbox.bot.uid)
        end = await asyncio.wait_for(task, WITHIN)

    assert end == RoomEnd(PUT_OUT, "a moderator put the bot out of the room")


async def test_records_of_a_newer_version_are_left_to_it(room: OwnedRoom, cluster: SimulatedCluster) -> None:
    await cluster.records.store(room.config.key, b'{"v":9,"needs":9}', last=0)

    async with running(room) as task:
        end = await asyncio.wait_for(task, WITHIN)

    assert end.is_newer
    assert "was written by a newer hangbot" in end.why


async def test_an_owner_that_comes_too_late_leaves_the_room_to_the_other(
    room: OwnedRoom, cluster: SimulatedCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    record = {"v": 1, "needs": 1, "key": "k", "previous": 0, "writer": "another worker", "fence": 9}
    await cluster.records.store(room.config.key, json.dumps(record).encode(), last=0)

    async with running(room) as task:
        end = await asyncio.wait_for(task, WITHIN)

    assert end.code == FAILED
    assert "another worker has it since" in end.why
    assert "| ERROR |" not in capsys.readouterr().err


async def test_a_fault_of_its_own_ends_no_worker(
    room: OwnedRoom, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(owned_bot, "open_watched", fails)

    async with running(room) as task:
        end = await asyncio.wait_for(task, WITHIN)

    assert end == RoomEnd(FAILED, "a fault of hangbot itself: its log has it")
    assert "a fault of hangbot itself" in capsys.readouterr().err


async def test_a_bot_that_is_not_ready_is_examined_and_ends_where_the_checks_reject_it(
    cluster: SimulatedCluster, hangfm_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owned_bot, "_EXAMINED_AFTER", 0.1)
    nowhere = hangfm_settings.with_changes(room_uuid="0e3bd4b8-2d5f-4c0a-9d0a-5f3b1f6a7c11")
    config = RoomConfig(room_key(nowhere), "nowhere", nowhere, "digest")

    async with running(OwnedRoom(config, cluster, 7, ALWAYS, lambda **_: None)) as task:
        end = await asyncio.wait_for(task, WITHIN)

    assert end == RoomEnd(FAILED, "preflight rejects its configuration: its log has the checks")
