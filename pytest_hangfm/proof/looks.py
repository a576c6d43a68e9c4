"""Looks at a bot from outside: its health page, its memory, requests as a user makes them."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

__all__ = ["free_port", "memory_of", "request"]

_WITHIN: Final = 3.0
_MOST: Final = 65_536


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
