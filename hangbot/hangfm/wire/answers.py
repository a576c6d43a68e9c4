"""What an HTTP answer says whichever service gave it: whether it refuses, and how long to wait. PURE.

Between a bot and a service stand firewalls, captive portals and proxies, which answer in its place,
with any status. Only a refusal in the service's own words says that the service has read a request and
will not do it (`chat_errors` and `gateway` know the words); everything else leaves open what has become
of the request. A 5xx never refuses: a service in trouble may have done it all the same.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from hangbot.text import one_line

__all__ = [
    "LONGEST_RETRY_AFTER",
    "http_date",
    "is_page",
    "is_refusal",
    "is_success",
    "read_json",
    "refuses_upgrade",
    "retry_after",
    "retry_after_note",
]

LONGEST_RETRY_AFTER: Final = 3600.0
"""Seconds: a service that wants to be left alone for longer is asked anyway."""

_NOT_NOW: Final = frozenset({408, 425, 429})
"""4xx that say nothing about the request but when it came."""
_UNAUTHORISED: Final = 401
_HTML: Final = (b"<!doctype", b"<html", b"<head", b"<body", b"<?xml")


def read_json(body: bytes) -> object:
    """Read a body as JSON; ``None`` where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def is_success(status: int) -> bool:
    """Return whether a status is one of the 2xx."""
    return 200 <= status < 300  # noqa: PLR2004  HTTP


def is_refusal(status: int) -> bool:
    """Return whether a service's own words with this status are final for the request.

    A 401 is about the token: with another one the same request may be granted.
    """
    return 400 <= status < 500 and status not in _NOT_NOW and status != _UNAUTHORISED  # noqa: PLR2004  HTTP


def refuses_upgrade(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether the room itself refused a websocket: with 401 or 403, and not by a page.

    The upgrade is refused by the library ws or by middleware before ActionHero, which write the name of
    the status or nothing.

    Args:
        status: The status of the answer.
        headers: With lower-case names.
        body: As much of the body as there is.
    """
    return status in {401, 403} and not is_page(headers, body)


def is_page(headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether an answer is a page for people, by its type or by how it begins."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    start = body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return kind in {"text/html", "application/xhtml+xml"} or start.startswith(_HTML)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that ``Retry-After`` asks to wait, or ``None`` where there is none.

    Args:
        headers: With lower-case names (``retry-after``, ``date``).
        now: Seconds since the epoch, for a ``Retry-After`` that is a date where the answer does not say
            by its own ``Date`` what time it is for the server.

    Returns:
        ``inf`` for a wait that cannot be kept: more than an hour, less than nothing, or no time at all. A
        moment that has passed is 0.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        at = http_date(value)
        if at is None:
            return math.inf
        theirs = http_date(headers.get("date", ""))
        seconds = max(at - (now if theirs is None else theirs), 0.0)
    return seconds if 0 <= seconds <= LONGEST_RETRY_AFTER else math.inf


def retry_after_note(headers: Mapping[str, str], wait: float | None) -> str:
    """Say that a service asks for a wait that cannot be kept; empty where it asks for none such."""
    if wait is None or not math.isinf(wait):
        return ""
    said = one_line(headers.get("retry-after", ""), 40)
    return f"; its Retry-After ({said}) is over an hour or no time at all, and is not kept"


def http_date(text: str) -> float | None:
    """Return the seconds since the epoch of an HTTP date, or ``None`` for what is none.

    It may have one of its obsolete forms; one without a zone is in GMT like any other.
    """
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
