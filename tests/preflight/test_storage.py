from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hangbot.delivery.outbox import Outbox, exclusive
from hangbot.delivery.outbox_file import OutboxFile
from pytest_hangfm.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.preflight.conftest import Bench

DAY = 86_400


async def test_without_a_service_to_ask_a_token_is_judged_by_this_machines_clock(bench: Bench) -> None:
    clock = ManualClock(wall=time.time() + 4000 * DAY)

    result = await bench.check("token.expiry", clock=clock, gateway_url="http://127.0.0.1:9")

    assert (result.verdict, result.message) == ("rejected", "BOT_USER_TOKEN expired 350.0 days ago")


async def test_a_service_is_asked_for_its_time_only_when_the_token_seems_wrong(bench: Bench) -> None:
    await bench.check("token.expiry")

    assert bench.sandbox.journal.events(service="gateway") == []


async def test_an_outbox_that_is_no_database_is_found_and_left_as_it_is(bench: Bench) -> None:
    bench.settings.outbox.write_text("a shopping list, and no database at all\n" * 100)

    result = await bench.check("outbox")

    assert (result.verdict, "HANGBOT_OUTBOX" in result.remedy) == ("rejected", True)
    assert bench.settings.outbox.read_text().startswith("a shopping list")


@pytest.fixture
def a_file_of_root() -> Iterator[Path]:
    """A file in a folder that everybody may write to; who runs the test may only read the file."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    path = folder / "outbox.sqlite3"
    yield path
    shutil.rmtree(folder)


async def test_an_outbox_that_can_only_be_read_is_not_ready(a_file_of_root: Path, bench: Bench) -> None:
    path = a_file_of_root
    outbox = Outbox(OutboxFile(path))
    await outbox.open()
    await outbox.close()
    path.chmod(0o444)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65_534)
    try:
        result = await bench.check("outbox", outbox=path)
    finally:
        if is_root:
            os.seteuid(0)

    assert result.verdict == "rejected"
    assert str(path) in result.message
    assert "HANGBOT_OUTBOX" in result.remedy


async def test_an_outbox_that_is_ready_has_been_written_to(bench: Bench) -> None:
    outbox = Outbox(OutboxFile(bench.settings.outbox))
    await outbox.open()
    await outbox.close()
    with closing(sqlite3.connect(bench.settings.outbox)) as other:
        before = other.execute("PRAGMA data_version").fetchone()

        result = await bench.check("outbox")

        after = other.execute("PRAGMA data_version").fetchone()
    assert result.verdict == "ok"
    assert after != before


async def test_an_outbox_that_cannot_be_locked_is_not_ready(bench: Bench) -> None:
    bench.settings.outbox.with_name(f"{bench.settings.outbox.name}.lock").mkdir()

    result = await bench.check("outbox")

    assert result.verdict == "rejected"
    assert "the lock file" in result.message


async def test_a_bot_that_holds_its_outbox_finds_it_ready(bench: Bench) -> None:
    with exclusive(bench.settings.outbox):
        result = await bench.check("outbox")

    assert result.verdict == "ok"
    assert result.message.endswith("was written and locked")
