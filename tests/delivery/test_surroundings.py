import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from hangbot.delivery.surroundings import count_messages, has_second_name, is_mounted_alone
from tests.delivery.builders import message, opened


def test_a_second_name_is_a_hard_link_and_no_symbolic_one(path: Path) -> None:
    path.touch()
    (path.parent / "soft").symlink_to(path)
    before = has_second_name(path)

    (path.parent / "hard").hardlink_to(path)

    assert (before, has_second_name(path), has_second_name(path.parent / "none")) == (False, True, False)


def test_a_file_among_the_mounts_is_mounted_alone(tmp_path: Path) -> None:
    place = tmp_path / "my bot" / "outbox.sqlite3"
    mounts = tmp_path / "mountinfo"
    escaped = str(place).replace(" ", "\\040")
    mounts.write_text(f"24 1 0:22 / / rw - ext4 /dev/a rw\n31 24 8:1 /x {escaped} rw - ext4 /dev/b rw\n\n")

    assert is_mounted_alone(place, mounts)
    assert not is_mounted_alone(place.parent, mounts)
    assert not is_mounted_alone(place, tmp_path / "no mountinfo")


@pytest.fixture
def mounted(path: Path, tmp_path: Path) -> Iterator[Path]:
    """An outbox that is mounted as containers mount single files."""
    (tmp_path / "host").touch()
    path.touch()
    told = ["mount", "--bind", str(tmp_path / "host"), str(path)]
    with suppress(FileNotFoundError):
        if subprocess.run(told, capture_output=True, check=False).returncode == 0:  # noqa: S603  ours
            yield path
            subprocess.run(["umount", "-l", str(path)], check=True)  # noqa: S603, S607  ours
            return
    pytest.skip("mounting takes more rights than this user has")


def test_a_single_file_that_is_really_mounted_is_found(mounted: Path) -> None:
    assert is_mounted_alone(mounted)


async def test_the_messages_of_an_outbox_that_is_not_in_use_are_counted(path: Path) -> None:
    async with opened(path) as box:
        empty = count_messages(path)
        await box.put([message()], 1.0)

    assert (empty, count_messages(path), count_messages(path.parent)) == (0, 1, 0)


def test_what_is_no_outbox_holds_no_messages(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"x" * 52 + b"HANG" + b"x" * 500)

    assert count_messages(path) == 0
