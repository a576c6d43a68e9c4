"""The websocket that a room client borrows, and what is known of its end."""

from collections.abc import Awaitable
from typing import Protocol

from websockets.exceptions import ConnectionClosed

__all__ = ["Connection", "close_code"]


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


def close_code(closed: ConnectionClosed) -> str:
    """Say with which code a connection was closed, and why, where this side did it."""
    if closed.rcvd is not None:
        return f"close code {closed.rcvd.code}"
    if closed.sent is not None:
        return (
            f"closed with code {closed.sent.code}{f' ({closed.sent.reason})' if closed.sent.reason else ''}"
        )
    return "close code 1006"
