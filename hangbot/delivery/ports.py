"""What delivery needs of a service; a client implements it."""

from typing import Protocol

from hangbot.delivery.message import Outgoing

__all__ = ["MessageSink", "Probed"]


class Probed(Protocol):
    """Something that can be asked whether it works."""

    async def probe(self) -> None:
        """Find out whether it works; raises `ServiceError` where it does not."""


class MessageSink(Probed, Protocol):
    """Takes messages to a service, and asks it about them."""

    async def send(self, message: Outgoing) -> object:
        """Make one attempt; return when it is acknowledged. Raises `ServiceError`."""

    async def find(self, message: Outgoing) -> bool:
        """Return whether an earlier attempt arrived; raises `ServiceError` where that cannot be known."""
