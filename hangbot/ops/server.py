"""The server of HANGBOT_STATUS_PORT with the extra `ops`: a page, its events, changes, health pages."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from hangbot.clock import Clock
from hangbot.errors import HangbotError, OutboxError, UnknownMessage, UsageError
from hangbot.ops.access import Access, Refusal
from hangbot.ops.changes import Changes, ids_of
from hangbot.ops.connections import Connections
from hangbot.ops.metrics import CONTENT_TYPE, Metrics
from hangbot.ops.page import Page
from hangbot.ops.stream import Streams, TooMany
from hangbot.status.pages import LARGEST_BODY, Pages

__all__ = ["Server"]

logger = logging.getLogger(__name__)


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Leave out that a client, or a search for open ports, sent what is no HTTP: the answer was 400."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_http_log: Final = logging.getLogger(f"{__name__}.http")
_http_log.addFilter(_is_our_fault)

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_BODY_WITHIN: Final = 5.0
_CLOSES_WITHIN: Final = 1.0
_HEADERS: Final = {
    "Server": "hangbot",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_STATUS: Final = (
    (UnknownMessage, HTTPStatus.NOT_FOUND),
    (UsageError, HTTPStatus.CONFLICT),
    (OutboxError, HTTPStatus.SERVICE_UNAVAILABLE),
)


class Server:
    """Answers requests.

    Args:
        access: Who may ask for what.
        document: The page.
        pages: The health pages.
        streams: Open pages.
        metrics: What Prometheus is given.
        changes: What may be changed; ``None``: nothing.
        hide: Masks secrets.
        clock: Bounds waits.
    """

    def __init__(
        self,
        access: Access,
        document: Page,
        pages: Pages,
        streams: Streams,
        metrics: Metrics,
        *,
        changes: Changes | None = None,
        hide: Callable[[str], str],
        clock: Clock,
    ) -> None:
        self._access = access
        self._document = document
        self._pages = pages
        self._streams = streams
        self._hide = hide
        self._clock = clock
        self._metrics_now = metrics.render
        self._connections = Connections(clock)
        app = web.Application(middlewares=[self._guard], client_max_size=LARGEST_BODY)
        app.router.add_get("/", self._page)
        app.router.add_get("/events", self._events, allow_head=False)
        app.router.add_get("/metrics", self._metrics)
        self._paths = ["/", "/events", "/metrics"]
        if changes is not None:
            for path, change in (("/outbox/retry", changes.retry), ("/outbox/drop", changes.drop)):
                app.router.add_post(path, self._changing(change))
                self._paths.append(path)
        app.router.add_route("*", "/{path:.*}", self._health)
        self._runner = web.AppRunner(
            app,
            handle_signals=False,
            access_log=None,
            logger=_http_log,
            shutdown_timeout=_CLOSES_WITHIN,
            lingering_time=_CLOSES_WITHIN,
        )

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[int]:
        """Answer on an address while the block runs; yield the port.

        Raises:
            HangbotError: The port cannot be had.
        """
        async with self._connections.taken(self._runner, host, port) as taken:
            try:
                yield taken
            finally:
                await self._streams.close()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse foreign names, and answer in any case."""
        with self._connections.asking(request):
            try:
                refusal = self._access.refuse_host(request.headers)
                return _refused(refusal) if refusal else await handler(request)
            except web.HTTPException as exc:
                return _json(exc.status, {"error": exc.reason}, {"Allow": exc.headers.get("Allow", "")})
            except ConnectionError:
                raise  # the client has gone
            except Exception:
                more = {"action": "status_failed"}
                logger.exception("[ERROR] %s %s failed", request.method, request.path, extra=more)
                return _json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "this failed; the log says how"})

    async def _page(self, _: web.Request) -> web.Response:
        """Give the page, which holds no data."""
        shown = self._document
        headers = {**_HEADERS, "Content-Security-Policy": shown.policy}
        return web.Response(body=shown.body, content_type="text/html", charset="utf-8", headers=headers)

    async def _health(self, request: web.Request) -> web.Response:
        answer = self._pages.answer(request.method, request.path, self._paths)
        return web.Response(status=answer.status, body=answer.body, headers={**_HEADERS, **answer.headers})

    async def _metrics(self, request: web.Request) -> web.Response:
        if refusal := self._access.refuse_reading(request.headers):
            return _refused(refusal)
        headers = {**_HEADERS, "Content-Type": CONTENT_TYPE}
        return web.Response(body=await self._metrics_now(), headers=headers)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._access.refuse_reading(request.headers):
            return _refused(refusal)
        try:
            async with self._streams.opened(lambda: _cut(request)) as stream:
                headers = {**_HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
                response = web.StreamResponse(headers=headers)
                await response.prepare(request)
                with suppress(ConnectionError):  # the page was closed
                    async for event in stream:
                        await response.write(event)
                return response
        except TooMany:
            error = "as many pages are open as may"
            remedy = "Close one of them; this one asks again."
            refused = _json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": error, "remedy": remedy})
            refused.force_close()  # its place is wanted
            return refused

    def _changing(self, change: Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]) -> Handler:
        """Return the handler of a change."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if refusal := self._access.refuse_change(request.headers):
                return _refused(refusal)
            if request.content_type != "application/json":
                return _json(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, {"error": "the body is to be JSON"})
            try:
                ids = ids_of(await self._clock.wait_for(request.read(), _BODY_WITHIN))
                states = await change(ids)
            except TimeoutError:
                return _json(HTTPStatus.REQUEST_TIMEOUT, {"error": "the body did not come"})
            except HangbotError as exc:
                status = next((status for kind, status in _STATUS if isinstance(exc, kind)), 500)
                return _json(status, {"error": self._hide(str(exc)), "remedy": self._hide(exc.remedy)})
            return _json(HTTPStatus.OK, {"states": states})

        return handle


def _refused(refusal: Refusal) -> web.Response:
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status is HTTPStatus.UNAUTHORIZED else {}
    return _json(refusal.status, {"error": refusal.error, "remedy": refusal.remedy}, headers)


def _json(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> web.Response:
    more = {name: value for name, value in (headers or {}).items() if value}
    return web.json_response(body, status=status, headers={**_HEADERS, **more}, dumps=_dumps)


def _dumps(body: Any) -> str:  # noqa: ANN401  any JSON
    return json.dumps(body, ensure_ascii=False) + "\n"


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
