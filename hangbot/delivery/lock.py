"""Who may deliver from an outbox: one process at a time, with a lock that dies with it."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

from hangbot.errors import OutboxBusy, OutboxUnusable

__all__ = ["exclusive", "exclusive_soon"]

_LOOK_EVERY: Final = 0.05
_BRIEF: Final = b"brief"


@contextmanager
def exclusive(path: Path, *, brief: bool = False) -> Iterator[None]:
    """Hold the right to deliver from an outbox; the system gives it back when the process dies.

    Args:
        path: The outbox.
        brief: It will be given back by itself: by a command, not by a bot.

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
            raise _busy(path, brief=os.pread(handle, len(_BRIEF), 0) == _BRIEF) from None
        except OSError as exc:
            raise OutboxUnusable(f"the lock file {lock} cannot be locked: {exc.strerror}") from exc
        _note(handle, _BRIEF if brief else b"")
        yield
    finally:
        os.close(handle)


@asynccontextmanager
async def exclusive_soon(path: Path, *, within: float, brief: bool = False) -> AsyncIterator[None]:
    """Hold the same, and wait so many seconds for a command that holds it; for a bot not at all."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(exclusive(path, brief=brief))
                break
            except OutboxBusy as busy:
                if not busy.brief or loop.time() > deadline:
                    raise
            await asyncio.sleep(_LOOK_EVERY)
        yield


def _note(handle: int, what: bytes) -> None:
    """Leave word of what holds the lock; on a full disk whoever comes takes it for a bot."""
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, what, 0)


def _busy(path: Path, *, brief: bool) -> OutboxBusy:
    if brief:
        return OutboxBusy(
            f"a `hangbot send` delivers from the outbox {path}",
            brief=True,
            remedy="Wait until it has ended, and try again.",
        )
    return OutboxBusy(f"another bot delivers from the outbox {path}")
