import asyncio
import errno
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from hangbot.delivery.lock import exclusive, exclusive_soon
from hangbot.errors import OutboxBusy, OutboxUnusable
from tests.bounds import WITHIN


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite3"


def run(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own code
        [sys.executable, "-c", code, *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN,
    )


def test_only_one_process_delivers_from_an_outbox(path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from hangbot.delivery.outbox import exclusive\n"
        "with exclusive(Path(sys.argv[1])):\n"
        "    print('held')\n"
    )

    with exclusive(path):
        while_held = run(code, path)
    after = run(code, path)

    assert "OutboxBusy: another bot delivers from the outbox" in while_held.stderr
    assert while_held.returncode == 1
    assert after.stdout == "held\n"


def test_the_lock_of_a_killed_process_is_free(path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from hangbot.delivery.outbox import exclusive\n"
        "with exclusive(Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    killed = run(code, path)
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


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("no/folder/outbox", id="no folder"),
        pytest.param("file/outbox", id="no folder but a file"),
    ],
)
def test_a_lock_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutboxUnusable, match=r"outbox\.lock cannot be written"), exclusive(tmp_path / name):
        raise AssertionError


def test_a_folder_as_outbox_does_not_break_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with exclusive(Path()):
        assert tmp_path.with_name(f"{tmp_path.name}.lock").is_file()


def test_a_file_system_without_locks_is_an_error_that_names_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(_fd: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)

    with pytest.raises(OutboxUnusable, match="cannot be locked: No locks available"), exclusive(path):
        raise AssertionError


def test_a_command_that_delivers_is_not_taken_for_a_bot(path: Path) -> None:
    with exclusive(path, brief=True), pytest.raises(OutboxBusy, match="a `hangbot send` delivers") as busy:
        exclusive(path).__enter__()

    assert busy.value.brief
    assert "Wait until it has ended" in busy.value.remedy


def test_a_bot_after_a_command_is_taken_for_a_bot(path: Path) -> None:
    with exclusive(path, brief=True):
        pass

    with exclusive(path), pytest.raises(OutboxBusy, match="another bot delivers") as busy:
        exclusive(path).__enter__()

    assert not busy.value.brief


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


@pytest.mark.parametrize(
    ("brief", "within"), [pytest.param(True, 0.0, id="a long send"), pytest.param(False, 60.0, id="a bot")]
)
async def test_a_long_one_is_given_up_and_a_bot_is_not_waited_for(
    *, path: Path, brief: bool, within: float
) -> None:
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

    with exclusive(path, brief=True), pytest.raises(OutboxBusy, match="another bot"):
        exclusive(path).__enter__()
