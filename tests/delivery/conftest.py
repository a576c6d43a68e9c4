"""The outbox of a test, and another connection to its file."""

import random
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from hangbot.clock import SystemClock
from hangbot.delivery.outbox import Outbox
from pytest_hangfm.simulation.streams import SimulatedServers
from tests.delivery.builders import KEPT, opened
from tests.memory import IN_MEMORY

IN_BOTH: Final = ("test_commits", "test_courier", "test_inbox", "test_outbox", "test_pending")
"""Modules whose tests hold wherever an outbox is kept."""


@pytest.fixture(autouse=True)
def kept_in(request: pytest.FixtureRequest) -> Iterator[str]:
    kind: str = getattr(request, "param", "file")
    if kind == "records":
        clock, rng = SystemClock(), random.Random(0)  # noqa: S311  no secret
        KEPT.servers = SimulatedServers(clock, rng)
    yield kind
    KEPT.servers = None


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory, if there is room: an outbox syncs whatever it accepts."""
    with tempfile.TemporaryDirectory(prefix="hangbot-delivery-", dir=IN_MEMORY) as folder:
        yield Path(folder)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite3"


@pytest_asyncio.fixture
async def outbox(path: Path) -> AsyncIterator[Outbox]:
    async with opened(path) as box:
        yield box


@pytest_asyncio.fixture
async def elsewhere(outbox: Outbox, path: Path) -> AsyncIterator[Outbox]:  # noqa: ARG001  it is made first
    """The outbox as another process sees it: `hangbot outbox` and `hangbot send`."""
    async with opened(path) as box:
        yield box


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have the tests of the outbox be about a room's records as well, but for what only a file has."""
    if metafunc.module.__name__.rpartition(".")[2] in IN_BOTH:
        of_a_file = metafunc.definition.get_closest_marker("of_a_file")
        metafunc.parametrize("kept_in", ["file"] if of_a_file else ["file", "records"], indirect=True)
