"""Files that a command makes for its user: whole or not at all, and never over one that is there."""

import errno
import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from hangbot.errors import HangbotError, UsageError
from hangbot.system_errors import remedy_for

__all__ = ["new_file", "refuse_place", "write_new"]

_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What a disk says that has no second name for a file: FAT, and some that are shared with other machines."""


def refuse_place(place: Path, own: Collection[Path] = ()) -> None:
    """Refuse a place where something is already, or that belongs to what is copied, before any work is done.

    Args:
        place: Where a new file is to be.
        own: The files of what is copied.

    Raises:
        UsageError: Nothing was written.
    """
    if os.path.realpath(place) in {os.path.realpath(each) for each in own}:
        raise UsageError(
            f"{place} belongs to the outbox itself; nothing was written", remedy="Name another file."
        )
    if os.path.lexists(place):
        raise _taken(place, "Name a new file, or remove that one before.")


@contextmanager
def new_file(place: Path, what: str) -> Iterator[Path]:
    """Yield the path of an empty file to be filled, which gets its place when the block ends well.

    Args:
        place: Where it is to be.
        what: What it is called in an error.

    Raises:
        UsageError: Something is there.
        HangbotError: It cannot be written; nothing stays there.
    """
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=place.parent)
        os.close(handle)
        part = Path(name)
        yield part
        _move(part, place)
    except FileExistsError:
        raise _taken(place, "Name a new file.") from None
    except OSError as exc:
        raise HangbotError(
            f"the {what} {place} cannot be written: {exc.strerror or exc}",
            remedy=remedy_for(exc) or "Name a file in a folder that exists, can be written and has room.",
        ) from None
    finally:
        if part:
            with suppress(OSError):
                part.unlink()


def write_new(place: Path, content: bytes, what: str) -> None:
    """Write a new file; arguments and errors are those of `new_file`."""
    with new_file(place, what) as part, part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _move(part: Path, place: Path) -> None:
    """Give a file its name, unless another one has it."""
    try:
        os.link(part, place)  # unlike a rename it replaces no file
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        part.replace(place)


def _taken(place: Path, remedy: str) -> UsageError:
    return UsageError(f"{place} exists; it was left as it is", remedy=remedy)
