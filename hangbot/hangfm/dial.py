"""A connection to a name: all its addresses are raced (RFC 8305), the one that answered last time first.

Every client here and the checks before the start connect in this one way, so that they cannot disagree.
A start makes a dozen connections one after the other: without a memory each would wait again for the
address that is dead.
"""

import asyncio
import ipaddress
import socket
from typing import Final

from aiohappyeyeballs import start_connection

__all__ = ["dial", "is_address"]

_NEXT_ADDRESS_AFTER: Final = 0.1
"""Seconds until the next address of a name is tried beside the first: the least that RFC 8305 recommends."""

_answered: dict[str, str] = {}
"""The address of a name that answered last; only an order, so that a wrong one costs no more than none."""


async def dial(host: str, port: int) -> socket.socket:
    """Connect to a port of a host, and return the socket, which does not block.

    Not bounded in time: its caller does that.

    Raises:
        OSError: There is no such name (`socket.gaierror`), or none of its addresses answers.
        UnicodeError: There can be no such name.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ordered = sorted(found, key=lambda row: row[4][0] != _answered.get(host))
    connected = await start_connection(ordered, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER)
    if len(found) > 1:
        _answered[host] = connected.getpeername()[0]
    return connected


def is_address(host: str) -> bool:
    """Whether a host is an address already: it has nothing to race, and any loop connects to it by itself."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
