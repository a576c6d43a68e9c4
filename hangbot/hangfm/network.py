"""What carries a bot's requests and connections: the network, or what stands in its place."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, NamedTuple, Self

import httpx

from hangbot.clock import Clock
from hangbot.hangfm.http import open_transport
from hangbot.hangfm.paced import paced
from hangbot.hangfm.permit import ALWAYS, Permit
from hangbot.hangfm.socket import Dial, dial_websocket
from hangbot.journal import SILENT, Journal

__all__ = ["NETWORK", "Network"]


class Network(NamedTuple):
    """What a bot speaks over, and what keeps all that it says there.

    Attributes:
        open_transport: As `hangbot.hangfm.http.open_transport`.
        dial: As `hangbot.hangfm.socket.dial_websocket`.
        journal: Keeps what is said.
        permit: Holds while the bot may act.
    """

    open_transport: Callable[..., AbstractAsyncContextManager[httpx.AsyncBaseTransport]] = open_transport
    dial: Dial = dial_websocket
    journal: Journal = SILENT
    permit: Permit = ALWAYS

    def paced(self, clock: Clock) -> Self:
        """Return the same for one bot of several in a process: see `hangbot.hangfm.paced`."""
        return self._replace(dial=paced(self.dial, clock))


NETWORK: Final = Network()
"""The network itself, of which nothing is kept."""
