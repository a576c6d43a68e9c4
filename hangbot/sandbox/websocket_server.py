"""A WebSocket server on loopback for whatever is to stand in a service's place: a relay, a replay."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from hangbot.sandbox.clock import wall_s
from hangbot.sandbox.websocket import ABNORMAL, SocketOptions, WebSocketConnection
from hangbot.web.http import Request, Response
from hangbot.web.listen import HOST
from hangbot.web.serve import serve_http

__all__ = ["ServedSocket", "serve_websocket"]

_log: Final = logging.getLogger(__name__)
_OPTIONS: Final = SocketOptions(largest=16 * 2**20, backlog=64 * 2**20, close_timeout_s=1.0, corked=False)


class ServedSocket:
    """One client of the server; iterating over it yields the texts that it sends, until it ends.

    Attributes:
        path: Path and query that it asked for.
        socket: The connection itself.
    """

    socket: "WebSocketConnection[ServedSocket]"

    def __init__(self, path: str, begin: Callable[["ServedSocket"], object]) -> None:
        self.path = path
        self._begin = begin
        self._texts: asyncio.Queue[str | None] = asyncio.Queue()
        self._closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[str]:
        while (text := await self._texts.get()) is not None:
            yield text

    @property
    def close_code(self) -> int | None:
        """How the client ended it: the code, ``None`` for a close without one, 1006 for none at all."""
        return self.socket.close_code

    def send(self, text: str) -> None:
        """Send a text; nothing once it is closing."""
        self.socket.send(text)

    def end(self, code: int | None = None) -> None:
        """End it with a close of that code, ``None`` = without one, 1006 = without a close."""
        if code == ABNORMAL:
            self.socket.abort()
        else:
            self.socket.close(code)

    async def wait_closed(self) -> None:
        """Wait until it has ended."""
        await self._closed.wait()

    def on_open(self, peer: "ServedSocket") -> None:
        """Part of ``ConnectionListener``."""
        self._begin(peer)

    def on_refused(self, peer: "ServedSocket", status: int, body: str) -> None:
        """Part of ``ConnectionListener``."""

    def on_message(self, _peer: "ServedSocket", message: str | bytes) -> None:
        """Part of ``ConnectionListener``."""
        if isinstance(message, str):
            self._texts.put_nowait(message)

    def on_ping(self, peer: "ServedSocket") -> None:
        """Part of ``ConnectionListener``."""

    def on_sent(self, peer: "ServedSocket", text: str, fault: int | None) -> None:
        """Part of ``ConnectionListener``."""

    def on_slow_reader(self, _peer: "ServedSocket") -> None:
        """Part of ``ConnectionListener``."""
        self.socket.abort()

    def on_closed(self, _peer: "ServedSocket") -> None:
        """Part of ``ConnectionListener``."""
        self._texts.put_nowait(None)
        self._closed.set()


@contextlib.asynccontextmanager
async def serve_websocket(
    handler: Callable[[ServedSocket], Awaitable[None]],
    *,
    refuse: Callable[[str], tuple[int, str] | None] = lambda _: None,
    options: SocketOptions = _OPTIONS,
) -> AsyncIterator[str]:
    """Serve for as long as the block runs; yields the address, ``http://127.0.0.1:…``.

    Args:
        handler: Given each client in a task of its own; when it returns, the connection stays as it is.
        refuse: Given the path of each handshake; a status and a text are the answer to it.
        options: How connections are treated.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def serve(client: ServedSocket) -> None:
        try:
            await handler(client)
        except Exception:  # noqa: BLE001  whatever fails in it, its client has to see an end
            _log.exception("what serves %s failed", client.path.partition("?")[0])
            client.socket.abort()

    def begin(client: ServedSocket) -> None:
        task = asyncio.get_running_loop().create_task(serve(client), name="sandbox: a served WebSocket")
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def handle(request: Request) -> Response | None:
        if not request.can_upgrade or "websocket" not in request.headers.get("Upgrade", "").lower():
            return Response(426)
        if (refusal := refuse(request.target)) is not None:
            status, text = refusal
            return Response(status, text.encode(), {"Content-Type": "text/plain"})
        client = ServedSocket(request.target, begin)
        client.socket = WebSocketConnection(client, client, options)
        request.hand_over(client.socket)
        return None

    async with contextlib.AsyncExitStack() as stack:
        port = await serve_http(stack, handle, 0, largest_body=0, now_s=wall_s)
        try:
            yield f"http://{HOST}:{port}"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
