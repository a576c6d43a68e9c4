"""What a command ends with: 0, or one of these."""

from typing import Final

__all__ = ["CANNOT_TELL", "FAILED", "INTERRUPTED", "MISCONFIGURED", "PUT_OUT", "worst"]

FAILED: Final = 1
MISCONFIGURED: Final = 2
CANNOT_TELL: Final = 3
PUT_OUT: Final = 4
INTERRUPTED: Final = 130

_WORST_FIRST: Final = (MISCONFIGURED, FAILED, PUT_OUT, CANNOT_TELL, 0)


def worst(*codes: int) -> int:
    """Return the worst of several exit codes: 2, then 1, 4, 3 and 0."""
    return min(codes, key=_WORST_FIRST.index, default=0)
