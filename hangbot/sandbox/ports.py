"""Sockets on loopback."""

import contextlib
import socket
import ssl
from typing import Final

from aiohttp import web

from hangbot.errors import HangbotError

__all__ = ["HOST", "bound_socket", "serve_http"]

HOST: Final = "127.0.0.1"


def bound_socket(port: int) -> socket.socket:
    """A loopback socket that holds its port, but refuses connections until it listens.

    Raises:
        HangbotError: The port is taken.
    """
    # Named as TCP: asyncio switches Nagle's algorithm off only where it can see that.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, port))
    except OSError as exc:
        sock.close()
        raise HangbotError(
            f"cannot listen on {HOST}:{port}: {exc.strerror}",
            remedy="Choose another port, or 0 and let the system choose.",
        ) from exc
    return sock


async def serve_http(
    stack: contextlib.AsyncExitStack, app: web.Application, port: int, tls: ssl.SSLContext | None
) -> int:
    """Serve an application on loopback until the stack is closed; returns its port.

    Raises:
        HangbotError: The port is taken.
    """
    sock = bound_socket(port)
    stack.callback(sock.close)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.01)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    await web.SockSite(runner, sock, ssl_context=tls).start()
    return int(sock.getsockname()[1])
