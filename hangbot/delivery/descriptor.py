"""One descriptor of an outbox's file for the whole process, and the locks on it.

SQLite's locks are POSIX locks: when a process closes *any* descriptor of a file, it loses all of its
POSIX locks on that file, SQLite's too, and another process may remove the write-ahead log. So the file
is never opened just for a moment beside SQLite: `borrow` opens it once, before SQLite does, and it is
closed when the last borrower has given it back.

The locks are open file description locks (Linux) on bytes that SQLite never touches. They belong to
the file itself, under whichever name it is opened, and end with the process.
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
"""Held by the process that delivers."""
BOT: Final = 1
"""Held as well by a bot, which does not end by itself."""
WANTED: Final = 2
"""Held by a bot that waits until it may deliver."""

_FIRST_BYTE: Final = 1 << 62
"""Far beyond the bytes that SQLite locks (from 1 GiB on) and the end of any file."""
_FLOCK: Final = struct.Struct("hhqqi0q")
"""C's ``struct flock`` with 64-bit offsets: type, whence, start, length, pid."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOLCK})
"""Errors that another HANGBOT_OUTBOX would not help with."""

_set: Final[int | None] = getattr(fcntl, "F_OFD_SETLK", None)
_ask: Final[int | None] = getattr(fcntl, "F_OFD_GETLK", None)


@dataclass(slots=True)
class Descriptor:
    """An open file, shared by all its users in this process.

    Attributes:
        number: The descriptor's number.
        identity: Device and inode.
    """

    number: int
    identity: tuple[int, int]
    _borrowers: int = 0
    _more: list[int] = field(default_factory=list)
    _held: set[int] = field(default_factory=set)

    def lock(self, byte: int) -> bool | None:
        """Take a lock; ``False``: it is taken; ``None``: taken, but other processes cannot see it.

        Raises:
            OSError: The file system cannot lock.
        """
        with _guard:
            if byte in self._held:
                return False
            taken = self._fcntl(_set, byte, fcntl.F_WRLCK)
            if taken is not False:
                self._held.add(byte)
            return taken

    def unlock(self, byte: int) -> None:
        """Release a lock."""
        with _guard:
            if byte in self._held:
                self._held.discard(byte)
                self._fcntl(_set, byte, fcntl.F_UNLCK)

    def holds(self, byte: int) -> bool:
        """Return whether this process holds a lock."""
        with _guard:
            return byte in self._held

    def is_locked(self, byte: int) -> bool:
        """Return whether any process holds a lock, this one included."""
        with _guard:
            return byte in self._held or self._fcntl(_ask, byte, fcntl.F_WRLCK) is False

    def _fcntl(self, command: int | None, byte: int, kind: int) -> bool | None:
        """Set or query a lock; ``True``: set, or free; ``None``: the system has no such locks."""
        if command is None:
            return None
        wish = _FLOCK.pack(kind, os.SEEK_SET, _FIRST_BYTE + byte, 1, 0)
        try:
            answer = _FLOCK.unpack(fcntl.fcntl(self.number, command, wish))
        except (BlockingIOError, PermissionError):
            return False
        except OSError as exc:
            if exc.errno in {errno.EINVAL, errno.EOPNOTSUPP}:
                return None  # a kernel, or an emulation of one, without such locks
            raise
        return bool(command == _set or answer[0] == fcntl.F_UNLCK)

    def shared(self) -> "Descriptor":
        """Return it for another borrower."""
        with _guard:
            self._borrowers += 1
            return self

    def close_later(self, number: int) -> None:
        """Keep another descriptor of the same file open as long as this one."""
        self._more.append(number)

    def give_back(self) -> None:
        """End a loan; the last one closes the file. SQLite's connection must be closed before."""
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
    """Return the error for what the system refused to do with the outbox or a file beside it."""
    sentence = f"{what}: {error.strerror}"
    if error.errno in _FULL:
        return OutboxDiskFull(sentence)
    return OutboxUnusable(sentence, remedy=(error.errno in _EXHAUSTED and remedy_for(error)) or None)


def borrow(path: Path) -> Descriptor:
    """Open an outbox's file, or share it if it is open; a new file is readable by its owner only.

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
    if identity in _open:  # an open file was moved here just now: closing this would drop SQLite's locks
        _open[identity].close_later(number)
        return _open[identity]
    if not stat.S_ISREG(status.st_mode):
        os.close(number)
        raise OutboxUnusable(f"the outbox {path} cannot be used: it is no regular file")
    _open[identity] = Descriptor(number, identity)
    return _open[identity]


def is_borrowed(path: Path) -> bool:
    """Return whether this process has a file open as an outbox."""
    try:
        return _identity(path.stat()) in _open
    except OSError:
        return False


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
