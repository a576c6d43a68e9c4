"""What a report says beside a failure: what to do, what was refused, and what happened on the wires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_hangfm.items import remedy_of
from pytest_hangfm.stash import ACKS, ACTION_RESULTS, SANDBOX, SOCKET_GUARD

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

__all__ = ["explain", "refusal", "unread_actions"]

_LINES: Final = 30
"""Of a transcript the newest."""


def explain(item: pytest.Item, failure: str, *, with_remedy: bool) -> list[tuple[str, str]]:
    """Return the sections of a failed test's report: a heading and a text each.

    Args:
        item: The test.
        failure: Its failure as text: what stands there is not said again.
        with_remedy: Whether the test's remedy is to be said here.
    """
    found = []
    if with_remedy and remedy_of(item):
        found.append(("what to do", remedy_of(item)))
    guard = item.stash.get(SOCKET_GUARD, None)
    if guard is not None and guard.refused and refusal(guard.refused) not in failure:
        found.append(("socket guard", refusal(guard.refused)))
    acks = item.stash.get(ACKS, None)
    if acks is not None and acks.steps:
        found.append(("deliveries", acks.timeline()))
    sandbox = item.stash.get(SANDBOX, None)
    if sandbox is not None:
        from pytest_hangfm.room_log import TRANSCRIPT_HEADING  # noqa: PLC0415  only failures pay for it
        from pytest_hangfm.transcript import transcript  # noqa: PLC0415  only failures pay for it

        if TRANSCRIPT_HEADING not in failure and (lines := transcript(sandbox)):
            found.append(("on the sandbox's wires", "\n".join(lines[-_LINES:])))
    return found


def refusal(refused: Iterable[str]) -> str:
    """Return what the socket guard refused, as the words of a failure."""
    where = ", ".join(dict.fromkeys(refused))
    return (
        f"the test wanted to reach {where}: only loopback is allowed "
        "(mark it `live`, or set hangfm_guard = off)"
    )


def unread_actions(item: pytest.Item) -> str:
    """Return which failed room actions the test did not look at, as the words of a failure, once."""
    results = item.stash.get(ACTION_RESULTS, None)
    unread = results.take_unread() if results else []
    if not unread or item.get_closest_marker("allow_failed_actions") is not None:
        return ""
    return (
        "nobody looked at the result of " + "; of ".join(unread) + ". Assert on what `act` returns "
        "(or mark the test `allow_failed_actions`)"
    )
