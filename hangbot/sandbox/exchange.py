"""One HTTP request of chat or gateway on its way through faults and journal to its answer.

The store step itself is one plain call without a wait in it: a request whose client is gone by then is
not stored, and one that is stored is stored whole.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal

from hangbot.sandbox.faults import Fault
from hangbot.sandbox.injector import Before, FaultInjector
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.notes import note
from hangbot.web.http import Request, Response

__all__ = ["HandlerResult", "HttpExchange"]

_JSON_HEADERS: Final = {
    "Content-Type": "application/json; charset=utf-8",
    "Cache-Control": "max-age=0, private, must-revalidate",
}
_GARBAGE: Final = "<!doctype html><title>not what you asked for</title>"

_write: Final = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(slots=True)
class HandlerResult:
    """What a service made of a request.

    Attributes:
        status: Status of the answer.
        body: A text goes out as it is, `None` as nothing, anything else as JSON.
        headers: Headers beside the usual ones.
        delay_s: How long the service takes over it.
        unknown_route: Whether no route knows the request.
        uid: The user that made it, as far as it is known.
        push_frames: Sends the frames that belong to it.
        frame_first: Whether they go out before the answer.
    """

    status: int
    body: Any = None
    headers: Mapping[str, str] | None = None
    delay_s: float = 0.0
    unknown_route: bool = False
    uid: str | None = None
    push_frames: Callable[[], None] | None = None
    frame_first: bool = True


class HttpExchange:
    """Answers the requests of one service.

    Args:
        service: Its name in the journal.
        injector: What goes wrong on purpose.
        journal: Takes every request and answer.
        whose: Tells from headers which user makes a request that never reaches the service.
        cors: The headers that let a page read an answer of some status.
    """

    def __init__(
        self,
        service: Literal["chat", "gateway"],
        injector: FaultInjector,
        journal: Journal,
        *,
        whose: Callable[[Mapping[str, str]], str | None],
        cors: Callable[[Request, int], Mapping[str, str]],
    ) -> None:
        self._service = service
        self._injector = injector
        self._journal = journal
        self._whose = whose
        self._cors = cors

    async def handle(
        self,
        request: Request,
        *,
        point: str,
        seen: Callable[[], dict[str, Any]],
        handler: Callable[[], HandlerResult],
    ) -> Response | None:
        """Do what a request asks for, or what the fault at `point` says.

        Args:
            request: The request, its body already read.
            point: Where faults hit.
            seen: Gives the row of the request for the journal.
            handler: The store step: does it and says what to answer. Called at most once.
        """
        before = self._injector.before_request(point)
        if before.instead is not None:
            self._record_request(before.fault_id, self._whose(request.headers), seen())
            return await self.answer_fault(request, before)
        if request.gone:
            self._record_request(before.fault_id, self._whose(request.headers), {**seen(), "gone": True})
            return None
        result = handler()
        unknown = {"unknown_route": True} if result.unknown_route else {}
        self._record_request(before.fault_id, result.uid, seen() | unknown)
        if result.push_frames is not None and result.frame_first:
            result.push_frames()
        after = self._injector.after_request(before.fault)
        if before.fault is not None and after.end is not None:
            await self._injector.pause(after.wait_s)
            self._cut(request, before.fault)
        else:
            await self._injector.pause(result.delay_s + after.wait_s)
            request.answer(self.respond(request, result, before.fault_id))
        if result.push_frames is not None and not result.frame_first:
            result.push_frames()
        return None

    async def answer_fault(self, request: Request, before: Before) -> Response | None:
        """Do what a fault does in the place of the service: nothing is stored."""
        fault = before.fault
        if fault is None:
            return None
        if before.instead == "hang":
            await self._injector.hang()
        await self._injector.pause(before.wait_s)
        if before.instead in {"hang", "cut", None}:  # None: an upgrade has nothing to store
            self._cut(request, fault)
            return None
        headers, body = dict(fault.headers or {}), fault.body
        if before.instead == "garbage":
            status, body = 200, _GARBAGE if body is None else body
            headers = {"Content-Type": "text/html", **headers}
        else:
            status = 503 if fault.status is None else fault.status
            if isinstance(body, str):
                headers.setdefault("Content-Type", "text/html; charset=utf-8")
        return self.respond(request, HandlerResult(status, body, headers), fault.id)

    def allow(self, request: Request) -> Response:
        """Answer what a browser asks before it sends a page's request."""
        self._journal.record(self._service, "in", "http", **note(request))
        return self.respond(request, HandlerResult(HTTPStatus.NO_CONTENT))

    def respond(self, request: Request, result: HandlerResult, fault: int | None = None) -> Response:
        """Make the response and write it into the journal."""
        headers = dict(result.headers or {})
        if result.body is None or isinstance(result.body, str):
            text = result.body or ""
        else:
            text = _write(result.body)
            headers = {**_JSON_HEADERS, **headers}
        # As text: what went over the wire, and nothing for the journal to copy.
        self._journal.record(
            self._service,
            "out",
            "http",
            fault=fault,
            method=request.method,
            path=request.target,
            status=result.status,
            body="" if request.method == "HEAD" else text,  # which is not sent
        )
        headers |= self._cors(request, result.status)
        return Response(status=result.status, body=text.encode(errors="replace"), headers=headers)

    def _record_request(self, fault: int | None, uid: str | None, row: dict[str, Any]) -> None:
        self._journal.record(self._service, "in", "http", fault=fault, uid=uid, **row)

    def _cut(self, request: Request, fault: Fault) -> None:
        row = {"uid": self._whose(request.headers), "deed": fault.do, "path": request.target}
        self._journal.record(self._service, "out", "close", fault=fault.id, **row)
        request.abort()
