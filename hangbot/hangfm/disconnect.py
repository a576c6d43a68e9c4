"""The websocket that a room client borrows, and the ways in which it ends."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from websockets.exceptions import ConnectionClosed

__all__ = ["Connection", "Ended", "Trouble", "Why", "close_code"]

Why = Literal["left", "lost", "kicked", "reset", "closed by the server", "state lost", "silent"]
"""Why a connection ended; only after ``kicked`` must nobody connect again at once."""


Trouble = Literal["patch", "forgotten", "song"]
"""What a state is lost to: a patch that does not fit, one that took the bot out, a song that ended unsaid."""


class Connection(Protocol):
    """What the client needs of a websocket."""

    async def send(self, message: str) -> None:
        """Send a text frame."""

    async def recv(self) -> str | bytes:
        """Return the next frame; raise `websockets.exceptions.ConnectionClosed` at the end."""

    async def ping(self) -> Awaitable[float]:
        """Send a ping; what is returned is done when it has been answered."""

    async def close(self) -> None:
        """Close it; bounded."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a connection ended.

    Attributes:
        why: In a word.
        detail: What is known of it.
        trouble: Where the state was lost, to what kind of trouble: a fresh one may show the same.
    """

    why: Why
    detail: str = ""
    trouble: Trouble = field(default="patch", compare=False)


def close_code(closed: ConnectionClosed) -> str:
    """Say with which code a connection was closed, and why, where this side did it."""
    if closed.rcvd is not None:
        return f"close code {closed.rcvd.code}"
    if closed.sent is not None:
        return (
            f"closed with code {closed.sent.code}{f' ({closed.sent.reason})' if closed.sent.reason else ''}"
        )
    return "close code 1006"
