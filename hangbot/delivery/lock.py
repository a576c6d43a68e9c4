"""Who may deliver from an outbox: one process at a time, with a lock that dies with it.

The lock is on the file itself, so that neither a removed lock file nor a second name of the
outbox lets another one in. Beside it stands the lock file of earlier versions, for these and
for systems without such locks.
"""

import fcntl
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from hangbot.clock import Clock, SystemClock
from hangbot.delivery.descriptor import BOT, DELIVERS, WANTED, Descriptor, borrow, refused
from hangbot.errors import OutboxBusy

__all__ = ["Turn", "exclusive", "exclusive_soon", "is_held_here", "is_wanted"]

logger = logging.getLogger(__name__)

_LOOK_EVERY: Final = 0.05
_SHOWN_AFTER: Final = 5.0
_BRIEF: Final = b"brief"


@contextmanager
def exclusive(path: Path, *, brief: bool = False) -> Iterator[None]:
    """Hold the right to deliver from an outbox; the system gives it back when the process dies.

    Args:
        path: The outbox; where there is none, its file is made.
        brief: It will be given back by itself: by a command, not by a bot.

    Raises:
        OutboxBusy: Another process holds it, or a bot waits for it.
        OutboxUnusable: The file, or the lock file beside it, cannot be written.
    """
    with _borrowed(path) as file, ExitStack() as held:
        if brief and _wanted(path, file):
            raise _busy(path, brief=False)
        held.enter_context(_on_the_file(path, file, DELIVERS))
        held.enter_context(_on_the_lock_file(path, brief=brief))
        if not brief:
            held.enter_context(_on_the_file(path, file, BOT))
        yield


@asynccontextmanager
async def exclusive_soon(
    path: Path, *, within: float, brief: bool = False, clock: Clock | None = None
) -> AsyncIterator[None]:
    """Hold the same, and wait so many seconds for a command that holds it; for a bot not at all.

    While a bot waits, `is_wanted` says so to the command.
    """
    clock = clock or SystemClock()
    deadline = clock.now() + within
    with ExitStack() as held:
        with ExitStack() as waiting:
            shown = brief
            while True:
                try:
                    held.enter_context(exclusive(path, brief=brief))
                    break
                except OutboxBusy as busy:
                    if not busy.brief or clock.now() > deadline:
                        raise
                    if not shown:
                        waiting.enter_context(_waiting(path))
                        shown = True
                await clock.sleep(_LOOK_EVERY)
        yield


class Turn:
    """A bot's right to deliver from an outbox: had at once, or when a command that has it hands over.

    Args:
        path: The outbox.
        clock: Waits for the command.

    Attributes:
        had: Whether it is had.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.had = False
        self._path = path
        self._clock = clock or SystemClock()
        self._held = ExitStack()
        self._waiting = ExitStack()

    def __enter__(self) -> Self:
        """Take it, or let the command that has it know that a bot waits.

        Raises:
            OutboxBusy: Another bot has it.
            OutboxUnusable: As `exclusive` does.
        """
        if not self._try():
            self._waiting.enter_context(_waiting(self._path))
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.close()
        self._held.close()
        self.had = False

    async def take(self, given_up: Callable[[], bool] = lambda: False) -> bool:
        """Wait until it is had; ``False`` when that is given up. Raises as entering does."""
        show_at = self._clock.now() + _SHOWN_AFTER
        while not self.had and not self._try():
            if given_up():
                return False
            if self._clock.now() >= show_at:
                show_at = float("inf")
                logger.warning(
                    "a `hangbot send` still delivers from the outbox %s: what is queued waits for its end",
                    self._path,
                    extra={"action": "outbox_wait"},
                )
            await self._clock.sleep(_LOOK_EVERY)
        return True

    def _try(self) -> bool:
        try:
            self._held.enter_context(exclusive(self._path))
        except OutboxBusy as busy:
            if not busy.brief:
                self._waiting.close()
                raise
            return False
        self.had = True
        self._waiting.close()
        return True


def is_held_here(path: Path) -> bool:
    """Tell whether this very process has the right to deliver from an outbox."""
    with _borrowed(path) as file:
        return file.holds(DELIVERS)


def is_wanted(path: Path) -> bool:
    """Tell whether a bot waits for the right that a command holds."""
    with _borrowed(path) as file:
        return _wanted(path, file)


@contextmanager
def _borrowed(path: Path) -> Iterator[Descriptor]:
    file = borrow(path)
    try:
        yield file
    finally:
        file.give_back()


@contextmanager
def _on_the_file(path: Path, file: Descriptor, byte: int) -> Iterator[None]:
    try:
        taken = file.lock(byte)
    except OSError as exc:
        raise refused(f"the outbox {path} cannot be locked", exc) from exc
    if taken is False:
        raise _busy(path, brief=not file.is_locked(BOT))
    try:
        yield
    finally:
        file.unlock(byte)


@contextmanager
def _on_the_lock_file(path: Path, *, brief: bool) -> Iterator[None]:
    lock = _beside(path, ".lock")
    with _opened(lock) as handle:
        if not _locked(lock, handle):
            raise _busy(path, brief=os.pread(handle, len(_BRIEF), 0) == _BRIEF)
        _note(handle, _BRIEF if brief else b"")
        yield


@contextmanager
def _waiting(path: Path) -> Iterator[None]:
    """Let a command know that a bot waits; several bots may."""
    with _borrowed(path) as file, ExitStack() as held:
        with suppress(OSError):
            taken = file.lock(WANTED)
            if taken is not False:
                held.callback(file.unlock, WANTED)
            if taken is None:
                lock = _beside(path, ".lock-wanted")
                _locked(lock, held.enter_context(_opened(lock)))
        yield


def _wanted(path: Path, file: Descriptor) -> bool:
    if file.is_locked(WANTED):
        return True
    lock = _beside(path, ".lock-wanted")  # of systems without locks on the file itself
    if not lock.exists():
        return False
    with _opened(lock) as handle:
        return not _locked(lock, handle)


def _beside(path: Path, ending: str) -> Path:
    real = Path(os.path.realpath(path))  # one outbox has one lock file, whatever link leads to it
    return real.with_name(real.name + ending)


@contextmanager
def _opened(lock: Path) -> Iterator[int]:
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise refused(f"the lock file {lock} cannot be written", exc) from exc
    try:
        yield handle
    finally:
        os.close(handle)


def _locked(lock: Path, handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        raise refused(f"the lock file {lock} cannot be locked", exc) from exc
    return True


def _note(handle: int, what: bytes) -> None:
    """Leave word of what holds the lock; on a full disk the next process takes it for a bot."""
    with suppress(OSError):
        os.fchmod(handle, 0o600)
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
