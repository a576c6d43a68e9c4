"""A server for as long as a stack is open."""

import contextlib
import ssl
from collections.abc import Callable

from hangbot.web.server import Handler, HttpServer, Witness

__all__ = ["serve_http"]


async def serve_http(
    stack: contextlib.AsyncExitStack,
    handler: Handler,
    port: int,
    tls: ssl.SSLContext | None = None,
    *,
    largest_body: int,
    now_s: Callable[[], float],
    witness: Witness = lambda _: None,
) -> int:
    """Serve on loopback until the stack is closed, and return the port; arguments as for ``HttpServer``.

    Raises:
        HangbotError: The port is taken.
    """
    server = HttpServer(handler, port, tls, largest_body=largest_body, now_s=now_s, witness=witness)
    stack.push_async_callback(server.close)
    await server.listen()
    return server.port
