import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hangbot.delivery.file_looks import FileLooks
from pytest_hangfm.manual_clock import ManualClock
from tests.bounds import WITHIN
from tests.delivery.builders import no_thread_is_left

OLD = 1_700_000_000.0


class Notices:
    """How often something was noticed; called on a thread."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1

    async def more(self) -> bool:
        """Wait for another one."""
        before = self.count
        for _ in range(int(WITHIN / 0.005)):
            if self.count > before:
                return True
            await asyncio.sleep(0.005)
        return False

    async def quiet(self, looks: FileLooks) -> bool:
        """Wait for several looks in which nothing is noticed."""
        for _ in range(int(WITHIN)):
            before = self.count
            await asyncio.sleep(looks.every * 5 + 0.1)
            if self.count == before:
                return True
        return False


@pytest.fixture
def looks() -> Iterator[FileLooks]:
    yield FileLooks(every=0.01)
    assert no_thread_is_left()


@pytest.fixture
def log(path: Path) -> Iterator[Path]:
    """A write-ahead log in use."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE line (text)")
        yield path.with_name(path.name + "-wal")


@pytest.mark.usefixtures("log")
async def test_a_write_is_noticed_and_then_nothing_more(looks: FileLooks, path: Path) -> None:
    notices = Notices()

    with looks.noticing(path, notices):
        assert await notices.quiet(looks)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("INSERT INTO line VALUES ('theirs')")
            seen = await notices.more()

        assert seen
        assert await notices.quiet(looks)


async def test_a_write_in_the_tick_of_the_last_look_is_noticed(
    looks: FileLooks, path: Path, log: Path
) -> None:
    looks.clock = clock = ManualClock()
    notices = Notices()
    os.utime(log, (clock.wall(), clock.wall()))

    with looks.noticing(path, notices):
        await notices.more()

        assert await notices.more()  # nothing tells a write in the same tick from none
        await clock.advance(1.0)
        assert await notices.quiet(looks)


async def test_a_log_or_a_file_that_comes_or_goes_is_noticed_once_each(
    looks: FileLooks, path: Path, tmp_path: Path
) -> None:
    looks.seldom = 1
    notices = Notices()
    log = path.with_name(path.name + "-wal")

    with looks.noticing(path, notices):
        assert await notices.quiet(looks)
        (tmp_path / "new").write_text("x")
        os.utime(tmp_path / "new", (OLD, OLD))
        counts = [notices.count]
        for change in (
            lambda: (tmp_path / "new").rename(log),
            log.unlink,
            path.touch,
            lambda: path.write_text("longer"),
            path.unlink,
        ):
            change()
            assert await notices.quiet(looks)
            counts.append(notices.count)

    assert counts == [1, 2, 3, 4, 5, 6]


async def test_each_file_is_noticed_by_its_own_and_no_longer_than_it_is_in_use(
    looks: FileLooks, tmp_path: Path
) -> None:
    first, second = Notices(), Notices()

    with looks.noticing(tmp_path / "first", first):
        with looks.noticing(tmp_path / "second", second):
            assert await first.quiet(looks)
            (tmp_path / "second-wal").write_text("x")
            assert await second.more()
        (tmp_path / "second-wal").write_text("xx")
        assert await second.quiet(looks)
        (tmp_path / "first-wal").write_text("x")
        assert await first.more()
    with looks.noticing(tmp_path / "second", second):
        assert await second.more()
