"""Reads what an operator named: a file, or a pipe such as ``<(vault read ...)``."""

import errno
import os
import select
import stat
from pathlib import Path
from typing import Final

from hangbot.clock import SystemClock

__all__ = ["PATIENCE", "check_file", "read_given"]

PATIENCE: Final = 30.0
"""Seconds to wait for a pipe: its writer may have to ask a vault first."""


def read_given(path: Path, *, most: int, patience: float = PATIENCE) -> bytes:
    """Read a file whole, and no device without an end.

    Args:
        path: The file.
        most: Bytes that it may have.
        patience: Seconds in which all must have come out of a pipe.

    Raises:
        OSError: It cannot be read: ``EFBIG`` where it has more, ``ETIMEDOUT`` where a pipe stays silent.
        ValueError: No path can be like that.
    """
    # Non-blocking, because opening a pipe without a writer would otherwise never return.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            with os.fdopen(handle, "rb", closefd=False) as file:
                data = file.read(most + 1)
        else:
            data = _piped(handle, most + 1, patience)
    finally:
        os.close(handle)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes")
    return data


def check_file(path: Path) -> None:
    """Refuse a pipe or a device, where a library or another process reads by name, and perhaps twice.

    Args:
        path: What is named.

    Raises:
        OSError: It is no file, or not there.
        ValueError: No path can be like that.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is no file, and is to be read more than once")


def _piped(handle: int, most: int, patience: float) -> bytes:
    clock = SystemClock()
    data, deadline = bytearray(), clock.now() + patience
    while len(data) < most:
        ready, *_ = select.select([handle], [], [], max(deadline - clock.now(), 0.0))
        if not ready:
            raise TimeoutError(errno.ETIMEDOUT, f"nothing came out of it in {patience:g} s")
        chunk = os.read(handle, most - len(data))
        if not chunk:
            break
        data += chunk
    return bytes(data)
