"""What is answered over HTTP: on HANGBOT_STATUS_PORT, and on the socket beside the outbox."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from hangbot.web.http import Request, Response

__all__ = ["JOURNAL", "LARGEST_BODY", "LOG", "MOST_CONNECTIONS", "SWEEP_EVERY", "Pages"]

LARGEST_BODY: Final = 4096
MOST_CONNECTIONS: Final = 64
SWEEP_EVERY: Final = 5.0
"""Seconds between two looks for connections that say nothing; each has twice as long for a request."""

_PAGES: Final = ("/livez", "/readyz", "/healthz")
_LOOK: Final = "/look"
JOURNAL: Final = "/journal"
LOG: Final = "/log"
"""Both only on the socket beside the outbox, which is the user's alone."""


class Pages:
    """The handler of requests.

    Args:
        current: Returns the row of `hangbot.status.report.to_row`.
        look: Has the bot look for what another process accepted; ``None``: not to be asked here.
        more: Further pages, each with what returns its lines of JSON.
    """

    def __init__(
        self,
        current: Callable[[], Mapping[str, Any]],
        look: Callable[[], None] | None = None,
        more: Mapping[str, Callable[[], Awaitable[bytes]]] = MappingProxyType({}),
    ) -> None:
        self._current = current
        self._look = look
        self._more = more

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        return await self._handle(request.method, request.target)

    async def body(self, target: str) -> bytes | None:
        """Return what a request that only reads is answered; ``None``: there is no such page."""
        answer = await self._handle("GET", target)
        return None if answer.status == HTTPStatus.NOT_FOUND else answer.body

    async def _handle(self, method: str, target: str) -> Response:
        path = target.partition("?")[0]
        if path == _LOOK and self._look is not None:
            if method != "POST":
                return _refused(HTTPStatus.METHOD_NOT_ALLOWED, "only POST is answered here", "POST")
            self._look()
            return _answer(HTTPStatus.OK, {})
        if path in self._more and method == "GET":
            return Response(HTTPStatus.OK, await self._more[path](), {"Content-Type": "application/jsonl"})
        return self.answer(method, path, [*([_LOOK] if self._look else ()), *self._more])

    def answer(self, method: str, path: str, others: Sequence[str] = ()) -> Response:
        """Answer a request for one of the health pages; ``others``: what is answered besides."""
        if path not in _PAGES:
            paths = [*_PAGES, *others]
            return _answer(HTTPStatus.NOT_FOUND, {"error": "there is no such page", "paths": paths})
        if method not in {"GET", "HEAD"}:
            return _refused(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD are answered here", "GET, HEAD")
        row = self._current()
        if path == "/healthz":
            return _answer(_status(well=row["ready"]), row)
        name = "live" if path == "/livez" else "ready"
        short = {name: row[name]} | ({} if name == "live" else {"red": row["red"], "waits": row["waits"]})
        return _answer(_status(well=row[name]), short)


def _status(*, well: bool) -> HTTPStatus:
    return HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE


def _refused(status: HTTPStatus, error: str, allowed: str) -> Response:
    refused = _answer(status, {"error": error})
    return Response(refused.status, refused.body, {**refused.headers, "Allow": allowed})


def _answer(status: HTTPStatus, body: Mapping[str, Any]) -> Response:
    text = json.dumps(body, ensure_ascii=False) + "\n"
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Response(status, text.encode("utf-8", "replace"), headers)
