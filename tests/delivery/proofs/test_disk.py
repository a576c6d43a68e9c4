# ruff: noqa: ASYNC240  a proof about disks may wait for its disk
"""Disks that are full, read-only, damaged or slow: a clear error, and nothing acknowledged is lost."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hangbot.delivery import database
from hangbot.delivery import outbox_file as module
from hangbot.delivery.outbox import Outbox
from hangbot.errors import OutboxUnusable
from tests.bounds import WITHIN
from tests.delivery.builders import Watched, message, opened

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TEXT = "x" * 900


def mount(*argv: str) -> bool:
    return subprocess.run(["mount", *argv], capture_output=True, check=False).returncode == 0  # noqa: S603, S607  ours


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=1m", "hangbot-proof", str(place)):
        pytest.skip("mounting takes more rights than this user has")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S603, S607  ours


def on_disk(path: Path) -> list[str]:
    """Return what a process that comes later finds."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA quick_check").fetchone() == ("ok",)
        return [key for (key,) in database.execute("SELECT id FROM message ORDER BY seq")]


async def fill(outbox: Outbox, begin: int) -> tuple[list[str], OutboxUnusable]:
    """Put until it is refused, eight at a time; return the ids that were accepted."""
    accepted: list[str] = []
    for number in range(begin, begin + 5_000, 8):
        puts = [outbox.put([message(f"m{n}", text=TEXT)], 1.0) for n in range(number, number + 8)]
        ends = await asyncio.gather(*puts, return_exceptions=True)
        accepted += [end[0].message.id for end in ends if isinstance(end, list)]
        for end in ends:
            if isinstance(end, OutboxUnusable):
                return accepted, end
    raise AssertionError("the disk is never full")


async def test_a_full_disk_is_told_and_what_was_accepted_is_on_it(small_disk: Path) -> None:
    path = small_disk / "outbox.sqlite3"
    async with opened(path) as outbox:
        accepted, error = await fill(outbox, 0)
        rows = await outbox.rows()
        still = await asyncio.gather(outbox.put([message("late", text=TEXT)], 2.0), return_exceptions=True)
        assert mount("-o", "remount,size=8m", str(small_disk))
        later = await outbox.put([message("room-again", text=TEXT)], 3.0)

    assert "full" in str(error) or "I/O" in str(error)
    assert str(path) in str(error)
    assert [row.message.id for row in rows] == accepted
    assert isinstance(still[0], OutboxUnusable)
    assert on_disk(path) == [*accepted, *(row.message.id for row in later)]


def send(folder: Path, *argv: str, lines: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command where nobody listens (port 1): accepting needs no service."""
    addresses = ("OPENCHAT_BASE_URL", "TTFM_GATEWAY_BASE_URL", "SOCKET_SERVER_URL")
    settings = dict.fromkeys(addresses, "http://127.0.0.1:1") | {
        "BOT_USER_TOKEN": "a.b.c",
        "ROOM_UUID": "9e1a4c9e-3c1c-4d3c-8f0e-3d1f0a1b2c3d",
        "COMETCHAT_UID": "bot",
    }
    return subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "hangbot", "send", *argv],
        input=lines,
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | settings | more,
        timeout=4 * WITHIN,
        check=False,
    )


def test_a_command_on_a_full_disk_prints_only_what_is_on_it(small_disk: Path, tmp_path: Path) -> None:
    path = small_disk / "outbox.sqlite3"
    more = {
        "HANGBOT_OUTBOX": str(path),
        "STAGE_RETRY_TOTAL_MS": "3000",  # nobody will be there: the command need not wait for that
    }
    lines = "".join(f"{number} {TEXT[:800]}\n" for number in range(3_000))

    sent = send(tmp_path, "--stdin", "--wait", "3", lines=lines, **more)  # for room, too: else a minute

    assert sent.returncode == 1
    assert "outbox" in sent.stderr
    assert "full" in sent.stderr or "I/O" in sent.stderr
    assert "Traceback" not in sent.stderr
    assert sent.stdout.split() == on_disk(path)


async def test_a_disk_that_becomes_read_only_is_told_and_loses_nothing(small_disk: Path) -> None:
    path = small_disk / "outbox.sqlite3"
    async with opened(path) as outbox:
        await outbox.put([message("before")], 1.0)

    assert mount("-o", "remount,ro", str(small_disk))
    with pytest.raises(OutboxUnusable, match=r"(?i)cannot be (used|opened): .*(read-?only|unable to open)"):
        async with opened(path) as again:
            await again.put([message("after")], 2.0)
    assert mount("-o", "remount,rw", str(small_disk))

    assert on_disk(path) == ["before"]


async def test_a_slow_disk_holds_up_neither_the_loop_nor_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect: Callable[..., sqlite3.Connection] = database.connect
    made: list[Watched] = []
    turned = threading.Semaphore(0)
    loop = asyncio.get_running_loop()

    def take_turns() -> None:
        """Take as long as the loop takes for twenty turns: a loop that is held up takes none."""
        for _ in range(20):
            loop.call_soon_threadsafe(turned.release)
            assert turned.acquire(timeout=WITHIN), "the commit holds up the loop"

    class Slow(Watched):
        """A connection to a disk that takes its time to write through."""

        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:  # noqa: ANN401  of any kind
            if sql == "COMMIT":
                assert threading.current_thread() is not threading.main_thread()
                take_turns()
            return super().execute(sql, *args)

    def slowly(*args: Any, **more: Any) -> Watched:  # noqa: ANN401  passed on as they are
        made.append(Slow(connect(*args, **more)))
        return made[-1]

    monkeypatch.setattr(module, "connect", slowly)

    async with opened(tmp_path / "outbox.sqlite3") as outbox:
        rows = await asyncio.gather(*(outbox.put([message(f"m{n}", text=TEXT)], 1.0) for n in range(200)))

    assert len(rows) == 200
    assert made[0].said.count("COMMIT") <= 3  # the first alone, then all that waited behind it


def test_a_bot_with_a_damaged_outbox_says_where_it_is_put_and_the_next_start_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "hangbot-outbox.sqlite3"
    damage = asyncio.run(_damaged(path))

    first, second = (send(tmp_path, "hello", "--wait", "0.1") for _ in range(2))

    aside = list(tmp_path.glob("*.damaged-*"))
    assert (first.returncode, first.stdout) == (1, "")
    assert f"is damaged; it was put aside as {aside[0].name}" in first.stderr
    assert [each.read_bytes() for each in aside] == [damage]
    assert len(second.stdout.split()) == 1
    assert on_disk(path) == second.stdout.split()


async def _damaged(path: Path) -> bytes:
    async with opened(path) as outbox:
        for number in range(20):
            await outbox.put([message(f"m{number}", text=TEXT)], 1.0)
    content = path.read_bytes()[:100] + b"\xff" * 10_000
    path.write_bytes(content)
    return content
