"""On which ports a program listens, and what it answers there, where the system shows it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.looks import request

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["health_path", "listening_ports", "ports_in"]

_PATHS: Final = ("/readyz", "/healthz", "/health", "/livez", "/status", "/")
_LISTENS: Final = "0A"
_SOCKET: Final = "socket:["


def listening_ports(pids: Iterable[int]) -> list[int]:
    """Return the TCP ports on which these processes listen; none where the system does not show it."""
    inodes = set[str]()
    for pid in pids:
        with suppress(OSError):
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    name = os.readlink(entry)  # noqa: PTH115  it is no path
                    if name.startswith(_SOCKET):
                        inodes.add(name.removeprefix(_SOCKET).rstrip("]"))
    found = list[int]()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            found += ports_in(Path(table).read_text("ascii"), inodes)
    return sorted(set(found))


def ports_in(table: str, inodes: set[str]) -> list[int]:
    """Return the ports of a table of the system's sockets that listen and have one of these inodes. PURE."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return [int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == _LISTENS and row[9] in inodes]


async def health_path(port: int) -> str:
    """Return the path of a health page that answers 2xx there, or an empty text."""
    for path in _PATHS:
        status = await request(f"http://127.0.0.1:{port}{path}")
        if status is not None and 200 <= status < 300:  # noqa: PLR2004  what HTTP calls success
            return path
    return ""
