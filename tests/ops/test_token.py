import errno
import os
import stat
from pathlib import Path

import pytest

from hangbot.ops.token import NoToken, make_token, read_token, token_path


def test_a_token_is_made_once_beside_the_outbox_and_is_the_users_alone(tmp_path: Path) -> None:
    path = token_path(tmp_path / "outbox.sqlite3")

    before, made, found = read_token(path), make_token(path), read_token(path)

    assert (before, found) == (None, made)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["outbox.sqlite3.token"]


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("a-token-that-is-long-enough", 0o640, "chmod 600"),
        ("short", 0o600, "holds no token"),
        ("", 0o600, "holds no token"),
        ("two words of a token", 0o600, "holds no token"),
    ],
)
def test_a_file_that_is_no_secret_is_no_token(tmp_path: Path, content: str, mode: int, said: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    path.chmod(mode)

    with pytest.raises(NoToken) as refused:
        read_token(path)

    assert said in f"{refused.value}. {refused.value.remedy}"
    assert content not in str(refused.value) or not content


def test_what_is_no_file_is_no_token(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe", 0o600)

    for name in ("folder", "link", "pipe"):
        with pytest.raises(NoToken):
            read_token(tmp_path / name)


@pytest.mark.parametrize(("number", "said"), [(errno.ENOSPC, "Make room"), (errno.EROFS, "write into")])
def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(NoToken) as refused:
        make_token(tmp_path / "token")

    assert said in refused.value.remedy
    assert list(tmp_path.iterdir()) == []
