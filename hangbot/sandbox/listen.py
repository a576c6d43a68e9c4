"""Sockets on loopback."""

import asyncio
import contextlib
import errno
import socket
from typing import Final
from weakref import WeakSet

from hangbot.errors import HangbotError

__all__ = ["HOST", "Listener", "bound_socket"]

HOST: Final = "127.0.0.1"
_TURNS: Final = 100
_TURNS_TO_BELONG: Final = 3


class Listener(socket.socket):
    """A socket that knows what it accepted.

    A server does not: a connection that was accepted a moment ago, that shakes hands for TLS, or that
    waits for a slow reader (or for his TLS farewell) is none of those that it closes at its end.

    To close it: ``refuse``, then close the server, then ``hang_up``.
    """

    def __init__(self) -> None:
        # Named as TCP: asyncio switches Nagle's algorithm off only where it can see that.
        super().__init__(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._accepted: WeakSet[socket.socket] = WeakSet()
        self._refuses = False

    def accept(self) -> tuple[socket.socket, object]:
        """Called by asyncio."""
        if self._refuses:
            raise BlockingIOError
        conn, address = super().accept()
        self._accepted.add(conn)
        return conn, address

    async def refuse(self) -> None:
        """Accept nobody any more; return when all who were accepted belong to the server.

        Whom it accepted right before its server closed, asyncio never closes (seen with Python 3.11).
        """
        self._refuses = True
        for _ in range(_TURNS_TO_BELONG):
            await asyncio.sleep(0)

    async def hang_up(self) -> None:
        """End the connections that the server has left, and return when their transports have closed them.

        What a client has not read by now is lost to him.
        """
        await asyncio.sleep(0)  # whatever has been closed in this turn is gone in the next
        for _ in range(_TURNS):
            left = [conn for conn in self._accepted if conn.fileno() != -1]
            if not left:
                return
            for conn in left:
                # Its transport, whoever has it, sees the end and closes.
                with contextlib.suppress(OSError):
                    conn.shutdown(socket.SHUT_RDWR)
            await asyncio.sleep(0)


def bound_socket(port: int) -> Listener:
    """A loopback socket that holds its port, but refuses connections until it listens.

    Raises:
        HangbotError: The port is taken.
    """
    sock = Listener()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, port))
    except OSError as exc:
        sock.close()
        remedy = "Choose another port, or 0 and let the system choose."
        if exc.errno in {errno.EACCES, errno.EPERM}:
            remedy = (
                "A port below 1024 needs a right: start it as root, let users have it "
                f"(`sysctl net.ipv4.ip_unprivileged_port_start={port}`), or choose another port."
            )
        raise HangbotError(f"cannot listen on {HOST}:{port}: {exc.strerror}", remedy=remedy) from exc
    return sock
