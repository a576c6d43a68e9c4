"""Files that a command writes and rewrites without ever replacing a file that another program made.

The first line marks a file as the command's own. Everything is checked before anything is written, and
the file is written beside its place and then moved there.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from hangbot.errors import HangbotError, UsageError

__all__ = ["MarkedFile"]

_LARGEST: Final = 65_536
"""Bytes of an earlier file that are read."""


class MarkedFile:
    """A path at which only a file with the same mark is replaced.

    As a context it proves on entry that it can be written, and leaves nothing unfinished on exit.

    Args:
        path: The path.
        mark: The first line of every file that is written here.
        option: The option that named it, for messages.
        force: Whether to replace what is there, as long as it is a file or a link.
        mode: Permissions of the file.
    """

    def __init__(self, path: Path, mark: str, option: str, *, force: bool = False, mode: int = 0o600) -> None:
        self.path = path
        self._mark = mark
        self._option = option
        self._force = force
        self._mode = mode
        self._unfinished = path.parent / f".{path.name}.{os.getpid()}.new"

    def __enter__(self) -> Self:
        """Check that it can be written.

        Raises:
            UsageError: Something else is there, and ``force`` was not given.
            HangbotError: It cannot be written there.
        """
        self.earlier()
        try:
            os.close(os.open(self._unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600))
        except OSError as exc:
            raise self._unusable(exc) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove an unfinished file."""
        with suppress(OSError):
            self._unfinished.unlink(missing_ok=True)

    def earlier(self) -> str | None:
        """Return the text of the earlier file with the mark; ``None`` where there is none, or it is replaced.

        Raises:
            UsageError: Something else is there, and ``force`` was not given.
            HangbotError: It is no file, or cannot be read.
        """
        try:
            found = self.path.lstat()
            if stat.S_ISLNK(found.st_mode):
                self._refuse_unless_forced("is a symbolic link")
                return None
            if stat.S_ISDIR(found.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(found.st_mode):
                raise HangbotError(
                    f"{self.path} is no regular file", remedy=f"Give {self._option} the path of a file."
                )
            with self.path.open("rb") as file:
                data = file.read(_LARGEST + 1)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise self._unusable(exc) from None
        own = data.partition(b"\n")[0].rstrip(b"\r") == self._mark.encode()
        if not own or len(data) > _LARGEST:
            self._refuse_unless_forced("was not made by this command")
            return None
        return data.decode("utf-8", "replace")

    def write(self, text: str) -> None:
        """Write the file, below its mark.

        Raises:
            UsageError: Another file has appeared there.
            HangbotError: It cannot be written.
        """
        self.earlier()
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            with os.fdopen(os.open(self._unfinished, flags, 0o600), "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), self._mode)
                file.write(f"{self._mark}\n{text}")
            self._unfinished.replace(self.path)
        except OSError as exc:
            raise self._unusable(exc) from None

    def _refuse_unless_forced(self, what: str) -> None:
        if not self._force:
            raise UsageError(
                f"{self.path} {what}; it was left as it is",
                remedy=f"Give {self._option} another path, or --force to write that one anew.",
            )

    def _unusable(self, error: OSError) -> HangbotError:
        return HangbotError(
            f"{self.path}: {error.strerror or error}",
            remedy=f"Give {self._option} the path of a file that can be written.",
        )
