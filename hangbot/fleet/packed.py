"""What stands in the cluster, read with a bound: anybody who may write there may have written it. PURE."""

import zlib
from typing import Final

__all__ = ["UNREADABLE", "point_in_time", "unpacked"]

UNREADABLE: Final = (
    ArithmeticError,  # a number without an end, where a whole one belongs
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    zlib.error,
)
"""What reading raises where it is something else than was expected."""
_DEFLATED: Final = b"\x78"
"""How zlib begins; JSON begins with a brace."""
_LARGEST: Final = 64 * 2**20
_LATEST: Final = 2**37
"""Seconds since the epoch: a time of the year 6325."""


def unpacked(data: bytes) -> bytes:
    """Return the text of what may be compressed; raises one of `UNREADABLE`."""
    if not data.startswith(_DEFLATED):
        return data
    inflater = zlib.decompressobj()
    text = inflater.decompress(data, _LARGEST)
    if not inflater.eof:
        raise ValueError("it has no end, or more than can be taken in")
    return text


def point_in_time(value: object) -> float:
    """Return seconds since the epoch that can be shown; raises one of `UNREADABLE`."""
    if not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise ValueError("no time")
    return float(value)
