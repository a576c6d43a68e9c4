"""The outbox of a test, and another connection to its file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hangbot.delivery.outbox import Outbox
from tests.delivery.builders import opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite3"


@pytest_asyncio.fixture
async def outbox(path: Path) -> AsyncIterator[Outbox]:
    async with opened(path) as box:
        yield box


@pytest_asyncio.fixture
async def elsewhere(outbox: Outbox) -> AsyncIterator[Outbox]:
    """The outbox as another process sees it: `hangbot outbox` and `hangbot send`."""
    async with opened(Path(outbox.file.name)) as box:
        yield box
