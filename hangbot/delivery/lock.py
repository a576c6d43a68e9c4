"""Who may deliver from an outbox: one process at a time, with a lock that dies with it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hangbot.errors import OutboxBusy, OutboxUnusable

__all__ = ["exclusive"]


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the right to deliver from an outbox; the system gives it back when the process dies.

    Raises:
        OutboxBusy: Another process holds it.
        OutboxUnusable: The lock file beside the outbox cannot be written.
    """
    path = Path(os.path.realpath(path))  # one outbox has one lock, whatever link leads to it
    lock = path.parent / f"{path.name}.lock"
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise OutboxUnusable(f"the lock file {lock} cannot be written: {exc.strerror}") from exc
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutboxBusy(f"another bot delivers from the outbox {path}") from None
        except OSError as exc:
            raise OutboxUnusable(f"the lock file {lock} cannot be locked: {exc.strerror}") from exc
        yield
    finally:
        os.close(handle)
