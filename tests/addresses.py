"""Names that only a test knows, and addresses that do not answer."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest


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


def know(patch: pytest.MonkeyPatch, name: str, *addresses: str) -> None:
    """Let a name have these addresses for this test alone; one name a test, since `dial` remembers."""
    asks = socket.getaddrinfo

    def ask(host: str, *args: Any, **more: Any) -> list[Any]:  # noqa: ANN401  as `socket` has it
        known = addresses if host == name else [host]
        return [row for address in known for row in asks(address, *args, **more)]

    patch.setattr(socket, "getaddrinfo", ask)
