"""A file that a command makes is there whole, or not at all, and replaces none."""

import errno
import os
from pathlib import Path

import pytest

from hangbot.errors import HangbotError, UsageError
from hangbot.new_file import new_file, refuse_place, write_new, write_over


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def without_links(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Be a disk that has no second name for a file, as a USB stick with FAT."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)


def test_what_is_written_is_there_for_its_owner_alone(tmp_path: Path) -> None:
    write_new(tmp_path / "made", b"content", "bundle")

    assert (tmp_path / "made").read_bytes() == b"content"
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["made"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def test_a_disk_without_links_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    without_links(monkeypatch, number)
    (tmp_path / "there").write_text("mine")

    write_new(tmp_path / "made", b"content", "bundle")
    with pytest.raises(UsageError, match="exists; it was left as it is"):
        write_new(tmp_path / "there", b"content", "bundle")

    assert (tmp_path / "made").read_bytes() == b"content"
    assert (tmp_path / "there").read_text() == "mine"
    assert names(tmp_path) == ["made", "there"]


def test_what_a_killed_command_left_is_not_in_the_way(tmp_path: Path) -> None:
    for left in (f".made.{os.getpid()}.part", ".made.part"):
        (tmp_path / left).write_text("half")

    write_new(tmp_path / "made", b"content", "bundle")

    assert (tmp_path / "made").read_bytes() == b"content"


def test_a_file_that_is_not_finished_is_none(tmp_path: Path) -> None:
    def write_half() -> None:
        with new_file(tmp_path / "made", "copy") as part:
            part.write_bytes(b"ha")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  it is our own
        write_half()

    assert names(tmp_path) == []


def test_a_name_that_the_disk_does_not_take_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(HangbotError, match=r"the bundle .* cannot be written") as failed:
        write_new(tmp_path / ("n" * 300), b"", "bundle")

    assert failed.value.remedy == "Choose a shorter path."
    assert names(tmp_path) == []


def test_a_place_is_refused_where_something_is_or_that_belongs_to_the_outbox(tmp_path: Path) -> None:
    own = tmp_path / "outbox-wal"
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")

    with pytest.raises(UsageError, match="belongs to the outbox itself"):
        refuse_place(tmp_path / "." / "outbox-wal", [own])
    with pytest.raises(UsageError, match="exists"):
        refuse_place(tmp_path / "link")
    with pytest.raises(HangbotError, match="cannot be written: No such file or directory"):
        refuse_place(tmp_path / "nowhere" / "free")
    with pytest.raises(UsageError, match="exists") as special:
        refuse_place(Path("/dev/null"))
    refuse_place(tmp_path / "free", [own])

    assert "remove" not in special.value.remedy
    assert names(tmp_path) == ["link"]


def test_what_is_replaced_is_a_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "link").symlink_to("kept")

    write_over(tmp_path / "link", b"new")

    assert (tmp_path / "link").read_bytes() == b"new"
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "kept").read_text() == "kept"
    assert (tmp_path / "link").stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_replaced_stays_and_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").write_text("kept")

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_over(tmp_path / "kept", b"new")

    assert names(tmp_path) == ["kept"]
    assert (tmp_path / "kept").read_text() == "kept"
