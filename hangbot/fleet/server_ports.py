"""Where servers for trying listen: where they listened before, so that what names them stays right."""

import errno
import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hangbot.errors import HangbotError

__all__ = ["Ports", "alone", "choose_ports"]

_LOOPBACK: Final = "127.0.0.1"
_KEPT: Final = {
    "client": re.compile(r'^listen: "127\.0\.0\.1:(\d{1,5})"$', re.MULTILINE),
    "cluster": re.compile(r'^  listen: "127\.0\.0\.1:(\d{1,5})"$', re.MULTILINE),
    "monitor": re.compile(r'^http: "127\.0\.0\.1:(\d{1,5})"$', re.MULTILINE),
}
"""How a configuration that was written here has them."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a server listens: clients, the other servers, monitoring."""

    client: int
    cluster: int
    monitor: int


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder of servers: those of two processes over one store would destroy it.

    Raises:
        HangbotError: Another process has it.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HangbotError(
                f"other servers run over {folder}", remedy="End them, or name another folder with --keep."
            ) from None
        except OSError as exc:
            if exc.errno not in {errno.ENOTSUP, errno.ENOLCK, errno.EBADF}:  # a file system without locks
                raise
        yield
    finally:
        os.close(handle)


def choose_ports(files: list[Path], *, again: bool) -> list[Ports]:
    """Return a server's ports for each configuration file.

    Args:
        files: The files, which may be those of an earlier time.
        again: Whether to take those of the earlier time, where nothing else listens there.
    """
    if again:
        with suppress(OSError, LookupError, ValueError):
            kept = [_kept(file.read_text(encoding="utf-8")) for file in files]
            _bound([number for each in kept for number in (each.client, each.cluster, each.monitor)])
            return kept
    numbers = _bound([0] * 3 * len(files))
    return [Ports(*numbers[begin : begin + 3]) for begin in range(0, len(numbers), 3)]


def _kept(text: str) -> Ports:
    """Return what a configuration says; raises `LookupError`."""
    return Ports(**{name: int(pattern.findall(text)[0]) for name, pattern in _KEPT.items()})


def _bound(wanted: list[int]) -> list[int]:
    """Return ports that nothing listens on at this moment: these, and others for each 0; raises `OSError`."""
    sockets = [socket.socket() for _ in wanted]
    try:
        for each, port in zip(sockets, wanted, strict=True):
            if port:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as nats-server does
            each.bind((_LOOPBACK, port))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
