"""What keeps a live target from seeing more than that the bot joined, unless that was asked for."""

from __future__ import annotations

from typing import Final

import pytest

__all__ = ["NEEDS_WRITES", "no_guard", "skip_unless_joining", "skip_unless_reading"]

NEEDS_WRITES: Final = "others would see it on a live target: give --hangfm-live-writes where that is meant"


def no_guard(*_: str) -> None:
    """Let everything through."""


def skip_unless_reading(method: str, path: str) -> None:
    """Skip the test before a chat request that others would see, as a guard of `open_clients`."""
    if method != "GET" and not (method == "POST" and path.endswith("/members")):
        pytest.skip(f"{method} {path}: {NEEDS_WRITES}")


def skip_unless_joining(action: str) -> None:
    """Skip the test before a room action that others would see: a guard of `open_room`."""
    if action != "joinRoom":
        pytest.skip(f"{action}: {NEEDS_WRITES}")
