"""One descriptor of an outbox's file for the whole process, and the locks that hang on it.

SQLite's locks are POSIX locks: when a process closes *any* descriptor of a file, all of its POSIX
locks on that file are gone, SQLite's too, and another process may take the write-ahead log away.
So nobody here opens the file beside SQLite for a moment: `borrow` opens it once, before SQLite
does, and it is closed when the last borrower is done.

The locks on it are open file description locks (Linux) on bytes that SQLite never touches. They
belong to the file itself, by whatever name it is opened, and die with the process.
"""

import errno
import fcntl
import os
import stat
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hangbot.errors import OutboxDiskFull, OutboxUnusable
from hangbot.system_errors import remedy_for

__all__ = ["BOT", "DELIVERS", "WANTED", "Descriptor", "borrow", "is_borrowed", "refused"]

DELIVERS: Final = 0
"""Held by who delivers."""
BOT: Final = 1
"""Held besides by a bot, which does not end by itself."""
WANTED: Final = 2
"""Held by a bot that waits for its turn."""

_FIRST_BYTE: Final = 1 << 62
"""Far behind what SQLite locks (from 1 GiB on) and what a file can be long."""
_FLOCK: Final = struct.Struct("hhqqi0q")
"""C's ``struct flock`` with 64-bit offsets: type, whence, start, length, pid."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOLCK})
"""What no other HANGBOT_OUTBOX would help with."""

_set: Final[int | None] = getattr(fcntl, "F_OFD_SETLK", None)
_ask: Final[int | None] = getattr(fcntl, "F_OFD_GETLK", None)


@dataclass(slots=True)
class Descriptor:
    """An open file, shared by all of this process that use it.

    Attributes:
        number: Of the descriptor.
        identity: Device and inode.
    """

    number: int
    identity: tuple[int, int]
    _borrowers: int = 0
    _more: list[int] = field(default_factory=list)
    _held: set[int] = field(default_factory=set)

    def lock(self, byte: int) -> bool | None:
        """Take a lock; ``False``: it is taken; ``None``: it is had, but only this process knows of it.

        Raises:
            OSError: The file system cannot lock.
        """
        with _guard:
            if byte in self._held:
                return False
            taken = self._told(_set, byte, fcntl.F_WRLCK)
            if taken is not False:
                self._held.add(byte)
            return taken

    def unlock(self, byte: int) -> None:
        """Give a lock back."""
        with _guard:
            if byte in self._held:
                self._held.discard(byte)
                self._told(_set, byte, fcntl.F_UNLCK)

    def holds(self, byte: int) -> bool:
        """Tell whether this process holds a lock."""
        with _guard:
            return byte in self._held

    def is_locked(self, byte: int) -> bool:
        """Tell whether anybody holds a lock, this process included."""
        with _guard:
            return byte in self._held or self._told(_ask, byte, fcntl.F_WRLCK) is False

    def _told(self, command: int | None, byte: int, kind: int) -> bool | None:
        """Have the system do it, or ask it: ``True``: done, or free."""
        if command is None:
            return None
        wish = _FLOCK.pack(kind, os.SEEK_SET, _FIRST_BYTE + byte, 1, 0)
        try:
            answer = _FLOCK.unpack(fcntl.fcntl(self.number, command, wish))
        except (BlockingIOError, PermissionError):
            return False
        except OSError as exc:
            if exc.errno in {errno.EINVAL, errno.EOPNOTSUPP}:
                return None  # a kernel, or an emulation of one, that does not know them
            raise
        return bool(command == _set or answer[0] == fcntl.F_UNLCK)

    def shared(self) -> "Descriptor":
        """Borrow it once more."""
        with _guard:
            self._borrowers += 1
            return self

    def give_back(self) -> None:
        """Be done with it; the last one closes the file. SQLite's connection is closed before."""
        with _guard:
            self._borrowers -= 1
            if self._borrowers:
                return
            del _open[self.identity]
            for number in (self.number, *self._more):
                os.close(number)


_guard = threading.RLock()
_open: dict[tuple[int, int], Descriptor] = {}


def refused(what: str, error: OSError) -> OutboxUnusable:
    """Say what the system refused to do with the outbox, or a file beside it."""
    told = f"{what}: {error.strerror}"
    if error.errno in _FULL:
        return OutboxDiskFull(told)
    return OutboxUnusable(told, remedy=(error.errno in _EXHAUSTED and remedy_for(error)) or None)


def borrow(path: Path) -> Descriptor:
    """Open an outbox's file, making it (for its owner alone) where there is none; or share what is open.

    Raises:
        OutboxUnusable: It cannot be opened for writing, or is no regular file.
    """
    with _guard:
        try:
            found = _open.get(_identity(path.stat())) if path.exists() else None
            if found is None:
                found = _opened(path)
        except OSError as exc:
            raise refused(f"the outbox {path} cannot be opened", exc) from exc
        return found.shared()


def _opened(path: Path) -> Descriptor:
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, 0o600)
    status = os.fstat(number)
    identity = _identity(status)
    if identity in _open:  # it took another's place just now: closing it would take SQLite's locks
        _open[identity]._more.append(number)  # noqa: SLF001  the same module
        return _open[identity]
    if not stat.S_ISREG(status.st_mode):
        os.close(number)
        raise OutboxUnusable(f"the outbox {path} cannot be used: it is no regular file")
    _open[identity] = Descriptor(number, identity)
    return _open[identity]


def is_borrowed(path: Path) -> bool:
    """Tell whether this process has a file open as an outbox."""
    try:
        return _identity(path.stat()) in _open
    except OSError:
        return False


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
