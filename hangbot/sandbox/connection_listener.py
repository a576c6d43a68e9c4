"""What a server decides about its WebSocket connections, and what it hears of them."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

__all__ = ["ConnectionListener", "SocketOptions"]

Peer_contra = TypeVar("Peer_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class SocketOptions:
    """How a server treats its connections.

    Attributes:
        largest: Bytes of a message; a larger one is answered with a close of code 1009.
        backlog: Bytes that may wait for a slow reader.
        close_timeout_s: How long a client has to answer a close, and to hang up.
        corked: Whether what is sent in one iteration of the event loop goes out in one write, at its end.
        dated: Whether the answer to the handshake has a date.
    """

    largest: int
    backlog: int
    close_timeout_s: float
    corked: bool = True
    dated: bool = True


class ConnectionListener(Protocol[Peer_contra]):
    """What a server hears of a connection. ``peer`` is what it keeps about the connection."""

    def on_open(self, peer: Peer_contra, /) -> None:
        """Handle the end of the handshake."""

    def on_refused(self, peer: Peer_contra, status: int, body: str, /) -> None:
        """Handle a request that was no handshake, and was answered so."""

    def on_message(self, peer: Peer_contra, message: str | bytes, /) -> None:
        """Handle a whole message; bytes are a binary one."""

    def on_ping(self, peer: Peer_contra, /) -> None:
        """Handle a ping frame; its pong is sent anyway."""

    def on_sent(self, peer: Peer_contra, text: str, fault: int | None, /) -> None:
        """Note a text that goes out, and the fault that made it so."""

    def on_slow_reader(self, peer: Peer_contra, /) -> None:
        """Handle a backlog above the limit; it grows on unless the connection is ended here."""

    def on_closed(self, peer: Peer_contra, /) -> None:
        """Handle the end of a connection that was open."""
