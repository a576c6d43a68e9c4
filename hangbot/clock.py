"""Time as an argument: code that waits or measures takes a `Clock`, so that a test can pass its own."""

import asyncio
import functools
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar

__all__ = ["Boot", "Clock", "SystemClock", "age", "file_date", "iso_time", "steadily", "steady"]

T = TypeVar("T")

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Boot(NamedTuple):
    """A moment by a clock that cannot be set: it counts from the machine's start, suspended or not.

    Attributes:
        id: Which start of the machine.
        at: Seconds since then.
    """

    id: str
    at: float


class Clock(Protocol):
    """The time and the ways to wait. Everything is in seconds."""

    def now(self) -> float:
        """Return the monotonic time."""

    def wall(self) -> float:
        """Return the time since the epoch."""

    def boot(self) -> Boot | None:
        """Return the time since the machine's start, or ``None`` where that is not known."""

    async def sleep(self, seconds: float) -> None:
        """Wait for this many seconds."""

    async def wait_for(self, awaitable: Awaitable[T], seconds: float) -> T:
        """Await something for this many seconds at most; then cancel it and raise `TimeoutError`."""


def age(since: float, boot: Boot | None, clock: Clock) -> float:
    """Return how many seconds ago something happened, even if the wall clock was set in the meantime.

    Args:
        since: When it happened, by the wall clock.
        boot: The same since the machine's start, if known. It is exact until the machine restarts;
            after that only the wall clock is left to go by.
        clock: Gives the current time.
    """
    here = clock.boot()
    if boot and here and boot.id == here.id and boot.at <= here.at:
        return here.at - boot.at
    return clock.wall() - since


def steady(clock: Clock) -> float:
    """Return seconds by a clock that cannot be set, suspension included, or by the wall clock without one.

    Only differences between two such values mean anything.
    """
    here = clock.boot()
    return clock.wall() if here is None else here.at


def steadily(until: float, since: float, boot: Boot | None, clock: Clock) -> float:
    """Convert the end of a period from wall-clock time to the time scale of `steady`.

    Args:
        until: The end, by the wall clock as it was at the beginning.
        since: The beginning, by the wall clock.
        boot: The same since the machine's start, if known.
        clock: Gives the current time.
    """
    return steady(clock) + (until - since) - age(since, boot, clock)


def file_date(clock: Clock) -> str:
    """Return the local date and time as part of a file's name."""
    return time.strftime("%Y%m%d-%H%M%S", time.localtime(clock.wall()))


def iso_time(seconds: float, *, precise: bool = False) -> str:
    """Return a time since the epoch as ISO 8601 in UTC; with ``precise`` to the millisecond."""
    timespec = "milliseconds" if precise else "seconds"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


class SystemClock:
    """The machine's own time."""

    def now(self) -> float:
        """Return the running loop's time, which `sleep` uses too, or the monotonic time outside a loop."""
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return time.monotonic()

    def wall(self) -> float:
        """Return the time since the epoch."""
        return time.time()

    def boot(self) -> Boot | None:
        """Return Linux's ``CLOCK_BOOTTIME``, which counts on during suspension, or ``None`` elsewhere."""
        which = _boot_id()
        return Boot(which, time.clock_gettime(time.CLOCK_BOOTTIME)) if which else None

    async def sleep(self, seconds: float) -> None:
        """Wait for this many seconds."""
        await asyncio.sleep(seconds)

    async def wait_for(self, awaitable: Awaitable[T], seconds: float) -> T:
        """Await something for this many seconds at most."""
        async with asyncio.timeout(seconds):
            return await awaitable


@functools.cache
def _boot_id() -> str | None:
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return None
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
