"""What an operator names is read to its end where it has one, and refused in words where it has none."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hangbot.app.without_code import app_of_file
from hangbot.config.envfile import read_env_file
from hangbot.given_file import check_file, read_given
from hangbot.incident.bundle import read_bundle
from pytest_hangfm.proof.profile import Profile
from pytest_hangfm.proof.profile_file import read_profile, write_profile
from pytest_hangfm.sessions.format import read_session

ENDLESS = Path("/dev/zero")


@pytest.mark.parametrize("size", [0, 1, 8])
def test_a_file_is_read_whole(tmp_path: Path, size: int) -> None:
    file = tmp_path / "given"
    file.write_bytes(b"x" * size)

    assert read_given(file, most=8) == b"x" * size


def test_a_file_that_is_larger_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "given"
    file.write_bytes(b"x" * 9)

    with pytest.raises(OSError, match="it has more than 8 bytes") as refused:
        read_given(file, most=8)

    assert refused.value.errno == errno.EFBIG


def test_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"given")
    os.close(writing)

    found = read_given(Path(f"/dev/fd/{reading}"), most=8)

    os.close(reading)
    assert found == b"given"


def test_a_pipe_that_nobody_writes_to_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    silent = tmp_path / "silent"
    os.mkfifo(silent)

    with pytest.raises(TimeoutError, match=r"nothing came out of it in 0\.1 s"):
        read_given(silent, most=8, patience=0.1)


def test_what_a_library_or_another_process_reads_is_to_be_a_file(tmp_path: Path) -> None:
    file, pipe = tmp_path / "file", tmp_path / "pipe"
    file.write_bytes(b"")
    os.mkfifo(pipe)

    check_file(file)
    for other, words in [(pipe, "it is no file"), (ENDLESS, "it is no file"), (tmp_path, "Is a directory")]:
        with pytest.raises(OSError, match=words):
            check_file(other)
    with pytest.raises(FileNotFoundError):
        check_file(tmp_path / "none")


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(read_env_file, id="a configuration"),
        pytest.param(app_of_file, id="an app without code"),
        pytest.param(read_bundle, id="a bundle"),
        pytest.param(read_profile, id="a profile"),
        pytest.param(lambda path: write_profile(path, Profile()), id="a profile that is there"),
        pytest.param(read_session, id="a recorded session"),
    ],
)
def test_of_whatever_is_read_by_its_name_one_without_an_end_is_refused(
    read: Callable[[Path], object],
) -> None:
    with pytest.raises(Exception, match=r"zero\b.*(more than|larger than|no file)") as refused:
        read(ENDLESS)

    assert not isinstance(refused.value, OSError | MemoryError)
