import asyncio
import contextlib
import errno
import fcntl
import os
from pathlib import Path

import pytest

from hangbot.delivery.lock import Turn, exclusive, exclusive_soon, is_held_here, is_wanted
from hangbot.errors import OutboxBusy, OutboxUnusable
from tests.bounds import WITHIN
from tests.cases import cases
from tests.delivery.builders import message, opened, run

LOCK = """
import os, signal, sys
from pathlib import Path
from hangbot.delivery.outbox import exclusive
with exclusive(Path(sys.argv[1])):
"""
HOLD = f"{LOCK}    print('held')"


def test_only_one_process_delivers_from_an_outbox(path: Path) -> None:
    with exclusive(path):
        while_held = run(HOLD, path)
    after = run(HOLD, path)

    assert "OutboxBusy: another bot delivers from the outbox" in while_held.stderr
    assert while_held.returncode == 1
    assert after.stdout == "held\n"


def test_the_lock_of_a_killed_process_is_free(path: Path) -> None:
    killed = run(f"{LOCK}    os.kill(os.getpid(), signal.SIGKILL)", path)
    with exclusive(path):
        pass

    assert killed.returncode == -9


def test_the_lock_holds_within_a_process_and_is_given_back_after_an_error(path: Path) -> None:
    with exclusive(path), pytest.raises(OutboxBusy), exclusive(path):
        raise AssertionError
    with pytest.raises(ZeroDivisionError), exclusive(path):
        raise ZeroDivisionError

    with exclusive(path):
        pass


def test_a_link_to_an_outbox_has_the_same_lock(tmp_path: Path, path: Path) -> None:
    path.touch()
    link = tmp_path / "link.sqlite3"
    link.symlink_to(path)

    with exclusive(path), pytest.raises(OutboxBusy), exclusive(link):
        raise AssertionError


@cases(
    "name words",
    ("no folder", "no/folder/outbox", "/outbox cannot be opened: "),
    ("no folder but a file", "file/outbox", "/outbox cannot be opened: "),
    ("a lock that is a folder", "other", r"\.lock cannot be written: Is a directory"),
    ("a folder", ".", "Is a directory|no regular file"),
    ("a pipe", "pipe", "no regular file"),
    ("a device", "/dev/null", "no regular file"),
)
def test_an_outbox_that_cannot_be_locked_is_named_in_an_error(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "other.lock").mkdir()
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(OutboxUnusable, match=words), exclusive(tmp_path / name):
        raise AssertionError


def test_a_lock_file_that_is_removed_lets_nobody_in(path: Path) -> None:
    with exclusive(path):
        path.with_name(f"{path.name}.lock").unlink()

        assert "another bot delivers" in run(HOLD, path).stderr
    assert run(HOLD, path).stdout == "held\n"


def test_a_second_name_lets_nobody_in(path: Path) -> None:
    path.touch()
    second = path.with_name("backup.sqlite3")
    second.hardlink_to(path)

    with exclusive(path):
        with pytest.raises(OutboxBusy, match="another bot"), exclusive(second):
            raise AssertionError
        assert "another bot delivers" in run(HOLD, second).stderr


def test_an_earlier_version_is_kept_out_and_keeps_out(path: Path) -> None:
    earlier = (
        "import fcntl, os, sys; handle = os.open(sys.argv[1] + '.lock', os.O_RDWR | os.O_CREAT, 0o600);"
        "fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)"
    )

    with exclusive(path):
        kept_out = run(earlier, path)
    handle = os.open(f"{path}.lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(OutboxBusy, match="another bot"), exclusive(path):
        raise AssertionError
    os.close(handle)
    with exclusive(path):
        pass

    assert "BlockingIOError" in kept_out.stderr


async def test_the_locks_of_sqlite_outlive_the_lock(path: Path) -> None:
    look = (
        "import sqlite3, sys; database = sqlite3.connect(sys.argv[1]);"
        "print(database.execute('SELECT count(*) FROM message').fetchone()); database.close()"
    )
    async with opened(path) as box:
        await box.put([message()], 1.0)
        with exclusive(path):
            pass

        said = run(look, path)

        assert said.stdout == "(1,)\n"
        assert path.with_name(
            f"{path.name}-wal"
        ).exists()  # who closes last removes it: that was not the last


def modes(path: Path) -> dict[str, int]:
    return {file.name.removeprefix(path.name): file.stat().st_mode & 0o777 for file in path.parent.iterdir()}


@pytest.fixture
def readable(path: Path) -> Path:
    """An outbox and its lock that others may read."""
    path.touch(0o644)
    path.with_name(f"{path.name}.lock").touch(0o644)
    return path


async def test_the_files_are_the_owners_alone(readable: Path) -> None:
    async with opened(readable) as box:
        await box.put([message()], 1.0)
        used = modes(readable)
    with exclusive(readable):
        locked = modes(readable)

    assert {ending: used[ending] for ending in ("", "-wal", "-shm")} == dict.fromkeys(
        ("", "-wal", "-shm"), 0o600
    )
    assert locked == {"": 0o600, ".lock": 0o600}


@pytest.mark.parametrize("known", [True, False])
def test_a_command_learns_that_a_bot_waits_and_leaves_the_next_turn_to_it(
    *, known: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not known:  # a system without locks on the file itself
        monkeypatch.setattr("hangbot.delivery.descriptor._set", None)
        monkeypatch.setattr("hangbot.delivery.descriptor._ask", None)
    with exclusive(path, brief=True):
        before = is_wanted(path)
        with Turn(path) as turn:
            during = (is_wanted(path), turn.had)
            with pytest.raises(OutboxBusy, match="another bot") as busy, exclusive(path, brief=True):
                raise AssertionError
        after = is_wanted(path)

    assert (before, during, after, busy.value.brief) == (False, (True, False), False, False)


async def test_a_bot_has_its_turn_when_the_command_ends(path: Path) -> None:
    with Turn(path) as turn:
        assert turn.had
        assert is_held_here(path)
    with contextlib.ExitStack() as command:
        command.enter_context(exclusive(path, brief=True))
        with Turn(path) as turn:
            assert not turn.had
            assert not await turn.take(lambda: True)
            taking = asyncio.create_task(turn.take(), name="take")
            command.close()

            assert await taking
            with pytest.raises(OutboxBusy, match="another bot"), Turn(path):
                raise AssertionError
    assert not is_held_here(path)


def test_a_file_system_without_locks_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(_fd: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)

    with pytest.raises(OutboxUnusable, match="cannot be locked: No locks available"), exclusive(path):
        raise AssertionError


@cases(
    "brief words remedy",
    ("a command", True, "a `hangbot send` delivers", "Wait until it has ended"),
    ("a bot, after a command", False, "another bot delivers", ""),
)
def test_a_command_that_delivers_is_not_taken_for_a_bot_nor_a_bot_for_a_command(
    *, path: Path, brief: bool, words: str, remedy: str
) -> None:
    with exclusive(path, brief=True):
        pass

    with exclusive(path, brief=brief), pytest.raises(OutboxBusy, match=words) as busy:
        exclusive(path).__enter__()

    assert busy.value.brief == brief
    assert remedy in busy.value.remedy


async def test_a_command_that_ends_soon_is_waited_for(path: Path) -> None:
    tried = asyncio.Event()

    async def start() -> str:
        tried.set()
        async with exclusive_soon(path, within=WITHIN):
            return "held"

    with exclusive(path, brief=True):
        starting = asyncio.create_task(start(), name="start")
        await tried.wait()

    assert await starting == "held"


@cases("brief within", ("a long send", True, 0.0), ("a bot", False, 60.0))
async def test_a_long_one_is_given_up_and_a_bot_at_once(*, path: Path, brief: bool, within: float) -> None:
    with exclusive(path, brief=brief), pytest.raises(OutboxBusy):
        async with asyncio.timeout(WITHIN), exclusive_soon(path, within=within):
            pass


async def test_a_busy_outbox_of_the_body_is_not_taken_for_ones_own(path: Path) -> None:
    with exclusive(path.with_name("other"), brief=True), pytest.raises(OutboxBusy, match="other"):
        async with asyncio.timeout(WITHIN), exclusive_soon(path, within=60):
            exclusive(path.with_name("other")).__enter__()


def test_a_full_disk_does_not_keep_from_delivering(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int, _data: bytes, _at: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)

    with exclusive(path, brief=True), pytest.raises(OutboxBusy, match="a `hangbot send`"):
        exclusive(path).__enter__()  # the lock on the file tells, and takes no room
