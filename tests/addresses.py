"""Addresses on which nobody answers."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def unanswering(port: int) -> Iterator[str]:
    """Hold an address of this machine that takes no connection to a port and refuses none."""
    address = "127.0.0.9"
    with ExitStack() as held:
        listening = held.enter_context(socket.socket())
        listening.bind((address, port))
        listening.listen(0)
        for _ in range(4):  # then as many wait to be taken as may, and the system drops who comes
            knocking = held.enter_context(socket.socket())
            knocking.settimeout(0)
            knocking.connect_ex((address, port))
        yield address
