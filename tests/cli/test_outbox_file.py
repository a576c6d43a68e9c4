"""The outbox's file under a running bot: locked, taken away, copied, without room."""

from __future__ import annotations

import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from hangbot.cli import main, send_delivery
from tests.bounds import WITHIN
from tests.cli.stories import is_a_send, until_so

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hangbot.sandbox import Sandbox
    from tests.cli.conftest import Bench, Command


def start_bot(bench: Bench) -> Command:
    bot = bench.start("run")
    until_so(lambda: "reading the chat" in bot.err or bot.process.poll() is not None)
    assert bot.process.poll() is None, bot.err
    return bot


def remove(box: Path) -> None:
    for file in box.parent.glob(f"{box.name}*"):
        file.unlink()


def remove_the_file_alone(box: Path) -> None:
    box.unlink()


def move(box: Path) -> None:
    box.rename(box.with_name("elsewhere"))


def replace(box: Path) -> None:
    other = box.with_name("other")
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE x (y)")
    other.replace(box)


async def answer_what_is_delayed(sandbox: Sandbox) -> None:
    sandbox.clock.advance(WITHIN)


def truncate(box: Path) -> None:
    os.truncate(box, 0)


def cut(box: Path) -> None:
    os.truncate(box, 4096)


def remove_the_log(box: Path) -> None:
    box.with_name(f"{box.name}-wal").unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("take", "cause"),
    [
        (remove, "was removed"),
        (remove_the_file_alone, "was removed"),
        (move, "was moved away"),
        (replace, "was replaced by another file"),
        (truncate, "was truncated"),
        (cut, "was truncated"),
        (remove_the_log, "has lost its log"),
    ],
)
def test_a_file_that_is_taken_from_a_running_bot_ends_it_with_the_cause_and_what_it_held_is_delivered(
    take: Callable[[Path], None], cause: str, bench: Bench
) -> None:
    bench.fault("chat.send", "delay", ms=2_000)
    for number in range(30):  # more than a page
        main(["send", f"before {number}", "--log-level", "error"])
    sent = len(bench.muids)
    bot = start_bot(bench)
    bench.fault("chat.send", "delay", ms=int(WITHIN * 1000 / 2))
    bench.start("send", "under way", "--id", "m-1").wait()
    bench.start("send", "behind it", "--id", "m-2").wait()
    begun = time.monotonic()

    take(bench.outbox)
    until_so(lambda: cause in bot.err, within=WITHIN)
    noticed = time.monotonic() - begun
    bench.do(answer_what_is_delayed)
    code = bot.wait()

    assert code == 1
    assert noticed < WITHIN / 2  # and not when the send under way is answered
    last = bot.err.splitlines()[-1]
    assert f"hangbot: the outbox {bench.outbox} {cause}" in last
    assert "while it was in use" in last
    assert "Traceback" not in bot.err
    held = ["m-1", "m-2"] if cause != "was truncated" else ["m-1"]  # the rest cannot be read any more
    assert bench.muids[sent:] == held
    assert not bench.outbox.with_name(
        f"{bench.outbox.name}-wal"
    ).exists()  # SQLite would put it into the next file of that name


@pytest.mark.slow
def test_a_file_that_another_program_locks_is_waited_for_without_an_end(bench: Bench) -> None:
    bot = start_bot(bench)
    with closing(sqlite3.connect(bench.outbox, isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        sender = bench.start("send", "hello", "--id", "m-1")
        until_so(lambda: "another program has the outbox" in sender.err)
        time.sleep(4)  # 9 s in all, with which earlier versions gave up
        rival.execute("ROLLBACK")

    assert sender.wait() == 0
    until_so(lambda: bench.muids == ["m-1"])
    bot.send(signal.SIGTERM)
    assert (bot.wait(), bench.call.states()) == (0, ["delivered"])


@pytest.mark.slow
def test_a_bot_starts_on_a_locked_file_when_that_is_free_and_a_send_gives_up_in_time(bench: Bench) -> None:
    assert main(["send", "first"]) == 0
    with closing(sqlite3.connect(bench.outbox, isolation_level=None)) as rival:
        rival.execute("BEGIN EXCLUSIVE")
        bot = bench.start("run")
        sender = bench.start("send", "never", "--wait", "1")
        code = sender.wait()
        until_so(lambda: "another program has the outbox" in bot.err)
        rival.execute("ROLLBACK")
    until_so(lambda: "reading the chat" in bot.err)
    bot.send(signal.SIGTERM)

    assert (code, bot.wait()) == (1, 0)
    assert "is locked by another program" in sender.err.splitlines()[-1]
    assert sender.out == ""
    assert [row["text"] for row in bench.call.listed()] == ["first"]


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own with a megabyte."""
    place = folder / "disk"
    place.mkdir()
    if not _mounts("-t", "tmpfs", "-o", "size=1m", "hangbot-test", str(place)):
        pytest.skip("mounting takes more rights than this user has")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S603, S607  ours


def _mounts(*argv: str) -> bool:
    with suppress(FileNotFoundError):
        return subprocess.run(["mount", *argv], capture_output=True, check=False).returncode == 0  # noqa: S603, S607  ours
    return False


@pytest.mark.slow
def test_a_full_disk_refuses_and_ends_nothing_and_with_room_all_goes_on(
    bench: Bench, small_disk: Path
) -> None:
    bench.configure(HANGBOT_OUTBOX=str(small_disk / "outbox.sqlite3"))
    bot = start_bot(bench)
    assert bench.start("send", "before", "--id", "m-1").wait() == 0
    until_so(lambda: bench.muids == ["m-1"])
    with (small_disk / "filling").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 512)

    refused = bench.start("send", "x" * 5_000, "--id", "m-2")
    code = refused.wait()
    bench.hear("/uptime")
    until_so(lambda: "is full: nothing is accepted" in bot.err)
    assert bot.process.poll() is None
    (small_disk / "filling").unlink()
    until_so(lambda: "in order again" in bot.err)
    after = bench.start("send", "after", "--id", "m-3")

    assert code == 1
    assert "is full" in refused.err
    assert refused.out == ""
    assert after.wait() == 0
    until_so(lambda: "m-3" in bench.muids)
    bot.send(signal.SIGTERM)
    assert bot.wait() == 0
    assert [row["id"] for row in bench.call.listed("--delivered")] == ["m-1", "m-3"]
    assert bench.call.states() == ["delivered"] * 2
    assert "Traceback" not in bot.err


# -- a bot that starts while a `send` delivers


@pytest.mark.slow
def test_a_bot_is_in_the_room_while_a_send_delivers_and_takes_the_queue_after_it(bench: Bench) -> None:
    bench.configure(HANGBOT_RATE="4", HANGBOT_BURST="1")
    sender = bench.start("send", "--stdin")
    assert sender.process.stdin
    sender.process.stdin.write(b"".join(b"line %d\n" % number for number in range(20)))
    sender.process.stdin.close()
    until_so(lambda: len(bench.muids) > 2)
    slow = bench.fault("chat.send", "delay", ms=2_000, times=0)

    bot = bench.start("run")
    until_so(lambda: "[SOCKET] joined" in bot.err)
    joined_with = len(bench.muids)
    bench.sandbox.faults.remove(slow.id)
    code = sender.wait()
    bot.send(signal.SIGTERM)

    assert bot.wait() == 0
    assert code == 0, sender.err
    assert joined_with < 20
    assert sender.out.split() == bench.muids
    assert set(bench.call.states()) == {"delivered"}
    assert "line" not in bot.err or "[OK]" in bot.err
    assert bot.err.count("[OK] ") > 10


@pytest.mark.slow
def test_a_send_between_attempts_hands_over_at_once_and_reports_what_becomes_of_its_own(bench: Bench) -> None:
    bench.configure(STAGE_RETRY_BASE_MS="600000", STAGE_RETRY_MAX_MS="600000", STAGE_RETRY_TOTAL_MS="600000")
    bench.fault("chat.send", "status", status=503)
    sender = bench.start("send", "again", "--id", "m-1", "--json")
    bench.wait_for(is_a_send)

    bot = bench.start("run")
    code = sender.wait()
    bot.send(signal.SIGTERM)

    assert (bot.wait(), code) == (0, 0)
    assert json.loads(sender.out)["state"] == "delivered"
    assert bench.muids == ["m-1"]


# -- copies


def test_a_copy_holds_all_and_is_the_owners_alone_and_what_waits_in_it_is_asked_about(
    monkeypatch: pytest.MonkeyPatch, bench: Bench
) -> None:
    assert main(["send", "there", "--id", "m-1"]) == 0
    monkeypatch.setattr(send_delivery, "_deliver", _by_nobody)
    assert main(["send", "waits", "--id", "m-2"]) == 0

    said = bench.call("outbox", "backup", "copy.sqlite3")

    copy = bench.folder / "copy.sqlite3"
    assert (said.code, said.out) == (0, "copy.sqlite3: 2 messages\n")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in bench.folder.glob("*copy*")) == ["copy.sqlite3"]
    originals = bench.call.listed()
    monkeypatch.setenv("HANGBOT_OUTBOX", str(copy))
    assert bench.call.listed() == originals
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("SELECT id, in_doubt FROM message").fetchall() == [("m-1", 0), ("m-2", 1)]
        assert database.execute("SELECT asks_until FROM inbox").fetchone() == (math.inf,)


async def _by_nobody(*_: object) -> bool:
    return False


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("taken", 2, "taken exists; it was left as it is"),
        ("folder", 2, "folder exists"),
        ("dangling", 2, "dangling exists"),
        ("outbox.sqlite3", 2, "outbox.sqlite3 belongs to the outbox itself"),
        ("outbox.sqlite3-journal", 2, "belongs to the outbox itself"),
        ("no/such/folder/copy", 1, "cannot be written: No such file or directory"),
        ("taken/copy", 1, "cannot be written: Not a directory"),
        ("/proc/copy", 1, "cannot be written"),
    ],
)
def test_a_place_for_a_copy_that_cannot_be_had_is_one_line_and_nothing_stays(
    name: str, code: int, says: str, bench: Bench
) -> None:
    assert main(["send", "there"]) == 0
    (bench.folder / "taken").write_text("mine")
    (bench.folder / "folder").mkdir()
    (bench.folder / "dangling").symlink_to("nowhere")
    before = sorted(path.name for path in bench.folder.iterdir())

    said = bench.call("outbox", "backup", name)

    assert said.code == code
    assert says in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert (bench.folder / "taken").read_text() == "mine"
    assert sorted(path.name for path in bench.folder.iterdir()) == before
    assert bench.muids != []


@pytest.mark.slow
def test_a_copy_is_made_while_the_bot_runs(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    bot = start_bot(bench)
    assert main(["send", "one"]) == 0

    assert bench.start("outbox", "backup", "copy").wait() == 0

    assert main(["send", "two", "--wait", "50"]) == 0
    bot.send(signal.SIGTERM)
    assert bot.wait() == 0
    monkeypatch.setenv("HANGBOT_OUTBOX", str(bench.folder / "copy"))
    assert [row["text"] for row in bench.call.listed()] == ["one"]


def test_a_copy_without_room_leaves_nothing(bench: Bench, small_disk: Path) -> None:
    assert main(["send", "x" * 800]) == 0
    with (small_disk / "filling").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 512)

    said = bench.call("outbox", "backup", str(small_disk / "copy"))

    assert said.code == 1
    assert "cannot be written" in said.err
    assert [path.name for path in small_disk.iterdir()] == ["filling"]
    assert bench.muids != []


def test_a_hard_link_is_one_warning_and_no_more(bench: Bench) -> None:
    assert main(["send", "there"]) == 0
    bench.outbox.with_name("backup").hardlink_to(bench.outbox)

    code, said, _ = bench.call("preflight")

    assert code == 0
    assert said.count("has a second name") == 1
    assert said.count("[WARN]") == 1
    assert bench.muids != []


def test_a_check_of_a_locked_file_cannot_tell_and_so_does_not_keep_a_bot_from_starting(
    monkeypatch: pytest.MonkeyPatch, bench: Bench
) -> None:
    monkeypatch.setattr("hangbot.factory.subject._CHECK_WAITS", 0.05)
    assert main(["send", "there"]) == 0
    with closing(sqlite3.connect(bench.outbox, isolation_level=None)) as rival:
        rival.execute("PRAGMA locking_mode = EXCLUSIVE")
        rival.execute("BEGIN EXCLUSIVE")  # not even readers are let in

        said = bench.call("preflight")

    assert said.code == 3
    assert "[????] Outbox is writable: the outbox" in said.out


@pytest.mark.slow
def test_a_second_name_takes_nothing_while_a_bot_has_its_log_beside_the_first(bench: Bench) -> None:
    bot = start_bot(bench)
    other = bench.outbox.with_name("backup")
    other.hardlink_to(bench.outbox)

    refused = bench.start("send", "by the other name", env={"HANGBOT_OUTBOX": str(other)})
    code = refused.wait()
    taken = main(["send", "by the bot's name", "--wait"])
    bot.send(signal.SIGTERM)

    assert (code, refused.out) == (1, "")
    assert "in use under another name" in refused.err
    assert taken == 0
    assert bot.wait() == 0
    assert len(bench.muids) == 1
    assert [row["text"] for row in bench.call.listed()] == ["by the bot's name"]


@pytest.mark.parametrize(("wait", "code"), [((), 0), (("--wait", "0.1"), 3)])
def test_what_was_accepted_is_no_failure_where_nothing_can_be_delivered_from_the_file(
    bench: Bench, wait: tuple[str, ...], code: int
) -> None:
    bench.outbox.with_name(f"{bench.outbox.name}.lock").mkdir()  # a file that cannot be written, also by root

    said = bench.call("send", "kept", *wait)

    assert said.code == code
    assert "what was accepted stays queued" in said.err
    assert [row["id"] for row in bench.call.listed()] == said.out.split()
    assert bench.call.states() == ["queued"]
    assert bench.muids == []


@pytest.mark.slow
def test_a_send_that_waits_says_why_the_bot_did_not_deliver(bench: Bench) -> None:
    bench.configure(STAGE_RETRY_MAX_ATTEMPTS="1")
    bot = start_bot(bench)
    bench.fault("chat.send", "status", status=500)

    sender = bench.start("send", "a text", "--wait")

    assert sender.wait() == 1
    assert f"{sender.out.strip()} is failed: given up after 1 attempts" in sender.err
    bot.send(signal.SIGTERM)
    assert bot.wait() == 0


def test_files_that_the_process_may_not_open_any_more_are_no_fault_of_the_outboxs_place(bench: Bench) -> None:
    assert bench.muids == []
    limited = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -n 6; exec "$0" -m hangbot send "a text"', sys.executable],
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )

    assert limited.returncode == 1
    assert "Too many open files. Let it open more files: `ulimit -n 1024`" in limited.stderr
    assert "HANGBOT_OUTBOX" not in limited.stderr


def test_a_folder_in_the_outboxs_place_is_said_to_be_that_and_nothing_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.folder / "place").mkdir()
    (bench.folder / "place" / "inner").mkdir()  # as every folder, it has more than one link
    monkeypatch.setenv("HANGBOT_OUTBOX", str(bench.folder / "place"))

    code, said, _ = bench.call("preflight")

    assert code == 1
    assert "Is a directory" in said
    assert "[WARN]" not in said
    assert bench.muids == []
