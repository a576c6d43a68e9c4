"""Paths of route tables: `messages/{}/thread`, `v1/*`.

PURE.
"""

from collections.abc import Sequence

__all__ = ["match_path"]


def match_path(pattern: str, segments: Sequence[str]) -> tuple[str, ...] | None:
    """Return the segments of a path that a pattern leaves open; `None` where the path is another one.

    Args:
        pattern: Its segments: `{}` is any one of them, a last `*` all that follow, or none.
        segments: The path's segments, decoded.
    """
    parts = pattern.split("/")
    if parts[-1] == "*":
        parts = [*parts[:-1], *("{}" for _ in segments[len(parts) - 1 :])]
    if len(parts) != len(segments):
        return None
    pairs = tuple(zip(parts, segments, strict=True))
    if any(part not in ("{}", segment) for part, segment in pairs):
        return None
    return tuple(segment for part, segment in pairs if part == "{}")
