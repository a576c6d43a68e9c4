"""Files that a command writes, and writes anew, without ever taking the place of somebody else's.

Whose a file is stands in its first line. Everything is looked at before anything is done, and the
file is written beside its place and moved there whole.
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
    """A place in which only one's own earlier file is replaced.

    As a context it proves at its beginning that it can be written, and leaves nothing half done at
    its end.

    Args:
        path: The place.
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
        self._draft = path.parent / f".{path.name}.{os.getpid()}.new"

    def __enter__(self) -> Self:
        """Look whether it can be written.

        Raises:
            UsageError: Something else is there, and ``force`` was not given.
            HangbotError: It cannot be written there.
        """
        self.earlier()
        try:
            os.close(os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600))
        except OSError as exc:
            raise self._unusable(exc) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave no draft behind."""
        with suppress(OSError):
            self._draft.unlink(missing_ok=True)

    def earlier(self) -> str | None:
        """The text of the earlier file, if it is one's own; ``None`` if there is none, or it gives way.

        Raises:
            UsageError: Something else is there, and ``force`` was not given.
            HangbotError: What is there is no file, or cannot be read.
        """
        try:
            found = self.path.lstat()
            if stat.S_ISLNK(found.st_mode):
                self._give_way("is a symbolic link")
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
            self._give_way("was not made by this command")
            return None
        return data.decode("utf-8", "replace")

    def write(self, text: str) -> None:
        """Write the file anew, below its mark.

        Raises:
            UsageError: Something else came there meanwhile.
            HangbotError: It cannot be written.
        """
        self.earlier()
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            with os.fdopen(os.open(self._draft, flags, 0o600), "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), self._mode)
                file.write(f"{self._mark}\n{text}")
            self._draft.replace(self.path)
        except OSError as exc:
            raise self._unusable(exc) from None

    def _give_way(self, what: str) -> None:
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
