"""When something is due that happens again and again. PURE."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hangbot.errors import UsageError

__all__ = ["Daily", "Every", "Missed", "Schedule", "make_daily", "make_every"]

Missed = Literal["late", "skip"]
"""What becomes of what was due while the bot was down: done once, late; or passed over."""

_SHORTEST: Final = 1.0
_LONGEST: Final = 366 * 86_400.0
_TIME: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")


@dataclass(frozen=True, slots=True)
class Every:
    """Again after so many seconds."""

    seconds: float

    def next(self, now: float, last: float | None = None) -> float:
        """Return when it is due next (seconds since the epoch), in step with when it was due last."""
        if last is None or last > now:
            return now + self.seconds
        due = last + ((now - last) // self.seconds + 1) * self.seconds
        return due if due > now else due + self.seconds  # a sum may be rounded down to now

    def __str__(self) -> str:
        return f"every {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Daily:
    """Each day at a time of a zone.

    A time that clocks skip is at the end of the gap, one that comes twice is once.
    """

    at: time
    zone: ZoneInfo

    def next(self, now: float, last: float | None = None) -> float:  # noqa: ARG002  as of every schedule
        """Return when it is due next, in seconds since the epoch."""
        day = datetime.fromtimestamp(now, self.zone).date() - timedelta(days=1)
        while (moment := self._on(datetime.combine(day, self.at, self.zone))) <= now:
            day += timedelta(days=1)
        return moment

    def _on(self, local: datetime) -> float:
        """Return the moment of a local time; of one that does not exist, the end of the gap."""
        utc = local.astimezone(UTC)
        if utc.astimezone(self.zone).replace(tzinfo=None) == local.replace(tzinfo=None):
            return utc.timestamp()
        # Read by the offset after the gap it lies before the change, by the one before the gap behind it.
        before, after = local.replace(fold=1).timestamp(), local.replace(fold=0).timestamp()
        offset = datetime.fromtimestamp(before, self.zone).utcoffset()
        while after - before > 1:
            middle = (before + after) // 2
            if datetime.fromtimestamp(middle, self.zone).utcoffset() == offset:
                before = middle
            else:
                after = middle
        return after

    def __str__(self) -> str:
        return f"at {self.at:%H:%M:%S} {self.zone.key}"


Schedule = Every | Daily


def make_every(seconds: float) -> Every:
    """Return a schedule; raises `UsageError` for less than a second, or more than a year."""
    if not _SHORTEST <= seconds <= _LONGEST:
        raise UsageError(
            f"every {seconds:g} s: a timer repeats after a second to a year", remedy="Give another period."
        )
    return Every(seconds)


def make_daily(at: str, tz: str) -> Daily:
    """Return a schedule of ``"20:00"`` or ``"20:00:30"``; raises `UsageError` for another time or zone."""
    found = _TIME.fullmatch(at)
    if found is None:
        raise UsageError(f"at {at!r}: that is no time of a day", remedy='Write it as "20:00".')
    try:
        zone = ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"at {at}: this machine knows no time zone {tz!r}",
            remedy='Write it as tz="Europe/Berlin"; where the system has no zones, `pip install tzdata`.',
        ) from None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return Daily(time(hours, minutes, seconds), zone)
