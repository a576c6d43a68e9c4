"""Looks at a bot from outside: its health page, its memory, requests as a user makes them."""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
import os
import secrets
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["free_port", "memory_of", "request"]

_WITHIN: Final = 3.0
_MOST: Final = 65_536
_PORTS: Final = range(20_000, 32_000)
"""Below those that systems choose from, for servers on port 0 and for clients."""


def _in_turn() -> Iterator[int]:
    """Each port once before one comes again; where a run begins, no seed that it shares decides."""
    offset = secrets.randbelow(len(_PORTS))
    return itertools.cycle((*_PORTS[offset:], *_PORTS[:offset]))


_TURN: Final = _in_turn()


def free_port() -> int:
    """Return a port on which nothing listens, and which no other is given before a bot has taken it.

    The system's own choice is not good for that: it chooses the same one for the next who asks.

    Raises:
        OSError: None is free.
    """
    for _ in range(len(_PORTS)):
        port = next(_TURN)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


async def request(
    url: str, method: str = "GET", *, headers: dict[str, str] | None = None, body: object = None
) -> int | None:
    """Make a request, and return the status of the answer; ``None`` where none comes."""
    parts = urlsplit(url)
    content = b"" if body is None else json.dumps(body).encode()
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    given = {
        "Host": parts.netloc,
        "Connection": "close",
        "Content-Length": str(len(content)),
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    with suppress(OSError, TimeoutError, ValueError, IndexError, asyncio.LimitOverrunError):
        async with asyncio.timeout(_WITHIN):
            secure = _any_certificate() if parts.scheme == "https" else None
            port = parts.port or (80 if secure is None else 443)
            reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure)
            try:
                writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content)
                await writer.drain()
                status = await reader.readline()
                await reader.read(_MOST)
                return int(status.split()[1])
            finally:
                writer.close()
    return None


def _any_certificate() -> ssl.SSLContext:
    """Return the settings of a client on loopback, where a certificate proves nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def memory_of(group: int) -> int | None:
    """Return the bytes of memory that the processes of a group hold; ``None`` where that is not shown."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            if os.getpgid(int(entry.name)) == group:
                total += int((entry / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total or None
