"""Asking the bot of a room that a worker of a fleet owns."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hangbot.cli import asking
from hangbot.clock import SystemClock
from hangbot.config import Settings
from hangbot.exit_codes import CANNOT_TELL, FAILED
from hangbot.fleet.streams import AnswerMissing, ClusterAway
from hangbot.status import Silent
from pytest_hangfm.simulation.streams import SimulatedCluster, SimulatedServers
from tests.config.test_settings import REQUIRED


class Asked(SimulatedCluster):
    """A cluster of which asking a room fails."""

    error: Exception

    async def ask(self, room: str, target: str, *, within: float, largest: int) -> bytes | None:
        self.asked = room, target, within, largest
        raise self.error


@pytest.mark.parametrize(
    ("error", "seen", "words", "code"),
    [
        pytest.param(AnswerMissing("no answer"), Silent, "the owner of the room", FAILED, id="the owner"),
        pytest.param(ClusterAway("no server"), ClusterAway, "no server", CANNOT_TELL, id="the servers"),
    ],
)
async def test_an_owner_that_is_silent_is_not_taken_for_servers_that_are_away(
    monkeypatch: pytest.MonkeyPatch, error: Exception, seen: type[Exception], words: str, code: int
) -> None:
    clock, rng = SystemClock(), random.Random(1)  # noqa: S311  nothing secret is drawn
    cluster = Asked(SimulatedServers(clock, rng), clock, rng)
    cluster.error = error

    @asynccontextmanager
    async def opened(*_: object, **__: object) -> AsyncIterator[SimulatedCluster]:
        yield cluster

    monkeypatch.setattr(asking, "open_fleet", opened)
    settings = Settings.from_env(REQUIRED | {"HANGBOT_OUTBOX": "nats://127.0.0.1:4222"})

    with pytest.raises(seen, match=words) as raised:
        await asking.ask_bot(settings, "/healthz", within=5)

    assert raised.value.exit_code == code  # type: ignore[attr-defined]  # both have one
