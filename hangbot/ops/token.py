"""The token without which nothing is changed from the page: a file beside the outbox, the user's alone."""

import errno
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final

from hangbot.errors import HangbotError
from hangbot.new_file import write_over

__all__ = ["NoToken", "make_token", "read_token", "token_path"]

_SUFFIX: Final = ".token"
_BYTES: Final = 24
_LARGEST: Final = 1024
_FIT: Final = re.compile(r"[!-~]{16,}")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class NoToken(HangbotError):
    """There is no token that can be used."""

    remedy = "Remove the file: the next start makes another."


def token_path(outbox: Path) -> Path:
    """Return where the token of an outbox is: beside the file itself, whatever leads to it."""
    real = Path(os.path.realpath(outbox))
    return real.with_name(real.name + _SUFFIX)


def read_token(path: Path) -> str | None:
    """Return the token, or ``None`` where there is no file.

    Raises:
        NoToken: The file can be read by others, or holds no token.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise _unreadable(path, exc) from None
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise NoToken(f"the token {path} is no file")
        if found.st_mode & _OTHERS:
            mode = stat.S_IMODE(found.st_mode)
            raise NoToken(
                f"the token {path} can be read by others (mode {mode:04o})",
                remedy=f"`chmod 600 {path}`, or remove it: the next start makes another.",
            )
        text = os.read(file, _LARGEST).decode("utf-8", "replace").strip()
    except OSError as exc:
        raise _unreadable(path, exc) from None
    finally:
        os.close(file)
    if not _FIT.fullmatch(text):
        raise NoToken(f"the file {path} holds no token (16 or more characters without blanks)")
    return text


def make_token(path: Path) -> str:
    """Make a token and its file; it is there whole or not at all.

    Raises:
        NoToken: It cannot be written.
    """
    token = secrets.token_urlsafe(_BYTES)
    try:
        write_over(path, f"{token}\n".encode())
    except OSError as exc:
        reason = exc.strerror or str(exc)
        full = exc.errno in {errno.ENOSPC, errno.EDQUOT}
        remedy = "Make room on its disk." if full else "Let the bot's user write into the outbox's folder."
        raise NoToken(f"the token {path} cannot be written: {reason}", remedy=remedy) from None
    return token


def _unreadable(path: Path, exc: OSError) -> NoToken:
    if exc.errno == errno.ELOOP:
        return NoToken(f"the token {path} is a symbolic link")
    remedy = "Let the bot's user read it, or remove it."
    return NoToken(f"the token {path} cannot be read: {exc.strerror or exc}", remedy=remedy)
