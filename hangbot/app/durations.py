"""Seconds as an author gives them. PURE."""

import math
from datetime import timedelta
from typing import Final

from hangbot.errors import UsageError

__all__ = ["Seconds", "period", "seconds_of"]

Seconds = float | timedelta
"""A number of seconds, or a `datetime.timedelta`."""

_SHOWN: Final = 50


def seconds_of(given: object, what: str) -> float:
    """Return a duration in seconds, of any sign and size.

    Args:
        given: What the author gave, of whatever type.
        what: What it is, as an error begins: ``the cooldown of skip``.

    Raises:
        UsageError: It is neither a number nor a `datetime.timedelta`.
    """
    if isinstance(given, timedelta):
        return given.total_seconds()
    try:
        seconds = float(given) if isinstance(given, int | float) and not isinstance(given, bool) else math.nan
    except OverflowError:
        seconds = math.inf
    if math.isnan(seconds):
        raise UsageError(
            f"{what} is {repr(given)[:_SHOWN]}, and that is no number of seconds",
            remedy="Give it a number, or a `datetime.timedelta`.",
        )
    return seconds


def period(called: str, seconds: object, minutes: object, hours: object) -> float:
    """Return the sum of what a function was given as seconds, minutes and hours; raises as `seconds_of`."""
    return (
        seconds_of(seconds, f"seconds of `{called}`")
        + 60 * seconds_of(minutes, f"minutes of `{called}`")
        + 3600 * seconds_of(hours, f"hours of `{called}`")
    )
