"""Files that are there whole or not at all: new ones over none that is there, others in place of it."""

import errno
import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from hangbot.errors import HangbotError, UsageError
from hangbot.system_errors import remedy_for

__all__ = ["new_file", "refuse_place", "try_place", "write_new", "write_over"]

_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What a disk says that has no second name for a file: FAT, and some that are shared with other machines."""


def refuse_place(place: Path, own: Collection[Path] = ()) -> None:
    """Refuse a place before any work is done: of something that is there or is copied, or not to be written.

    Args:
        place: Where a new file is to be.
        own: The files of what is copied.

    Raises:
        UsageError: Something is there.
        HangbotError: It cannot be written.
    """
    if os.path.realpath(place) in {os.path.realpath(each) for each in own}:
        raise UsageError(
            f"{place} belongs to the outbox itself; nothing was written", remedy="Name another file."
        )
    if os.path.lexists(place):
        raise _taken(
            place, "Name a new file, or remove that one before." if place.is_file() else "Name a new file."
        )
    try:
        try_place(place)
    except OSError as exc:
        raise _unwritable(f"{place}", exc) from None


def try_place(place: Path) -> None:
    """Find out whether a file can be made or replaced; raises `OSError` where that cannot be."""
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with _part_of(place):
        pass


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
    try:
        with _part_of(place) as part:
            yield part
            _move(part, place)
    except FileExistsError:
        raise _taken(place, "Name a new file.") from None
    except OSError as exc:
        raise _unwritable(f"the {what} {place}", exc) from None


def write_new(place: Path, content: bytes, what: str) -> None:
    """Write a new file; arguments and errors are those of `new_file`."""
    with new_file(place, what) as part:
        _write(part, content)


def write_over(place: Path, content: bytes) -> None:
    """Write a file for its owner alone; what is there is replaced, a link and not what it leads to.

    Raises:
        OSError: It cannot be written; what is there stays as it is.
    """
    with _part_of(place) as part:
        _write(part, content)
        part.replace(place)


@contextmanager
def _part_of(place: Path) -> Iterator[Path]:
    """Yield the path of an empty file beside a place, for its owner alone; it is gone when the block ends."""
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=place.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
    finally:
        with suppress(OSError):
            part.unlink()


def _write(part: Path, content: bytes) -> None:
    with part.open("wb") as file:
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


def _unwritable(what: str, error: OSError) -> HangbotError:
    return HangbotError(
        f"{what} cannot be written: {error.strerror or error}",
        remedy=remedy_for(error) or "Name a file in a folder that exists, can be written and has room.",
    )


def _taken(place: Path, remedy: str) -> UsageError:
    return UsageError(f"{place} exists; it was left as it is", remedy=remedy)
