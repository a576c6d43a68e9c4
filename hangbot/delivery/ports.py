"""What delivery needs of a service; a client implements it."""

from typing import Protocol

from hangbot.delivery.message import Outgoing

__all__ = ["MessageSink"]


class MessageSink(Protocol):
    """Takes messages to a service, and asks it about them."""

    async def send(self, message: Outgoing) -> object:
        """Make one attempt; return when it is acknowledged. Raises `ServiceError`."""

    async def find(self, message: Outgoing) -> bool:
        """Tell whether an earlier attempt arrived. Raises `ServiceError` when that cannot be told."""

    async def probe(self) -> None:
        """Find out whether the service works. Raises `ServiceError` where it does not."""
