"""HTTP around the chat and the gateway: reading, faults, the journal, answering.

Faults are done here once for every route: before the store step (`refuse`, `status`, `hang`,
`garbage`, `cut_before_store`) or after it (`delay`, `cut_after_store`). The store step
itself is one plain call without a wait in it, so a request whose client is gone by then is
not stored, and one that is stored is stored whole.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from hangbot.sandbox.chat.media import Upload
from hangbot.sandbox.chat.rows import Json
from hangbot.sandbox.chat.values import nested
from hangbot.sandbox.faults import Fault
from hangbot.sandbox.http import Request, Response, read_json
from hangbot.sandbox.injector import Before, FaultInjector
from hangbot.sandbox.journal import Journal

__all__ = ["LARGEST_BODY", "Outcome", "Wire", "cors_headers", "is_preflight", "read_body", "seen_of"]

LARGEST_BODY: Final = 10_000_000
"""OpenChat's limit for a request body, bytes."""

_JSON_HEADERS: Final = {
    "Content-Type": "application/json; charset=utf-8",
    "Cache-Control": "max-age=0, private, must-revalidate",
}
_GARBAGE: Final = "<!doctype html><title>not what you asked for</title>"


@dataclass(slots=True)
class Outcome:
    """What a service made of a request."""

    status: int
    body: Json = None
    headers: Mapping[str, str] | None = None
    delay_s: float = 0.0
    unknown_route: bool = False
    uid: str | None = None
    pushing: Callable[[], None] | None = None
    """Sends the frames that belong to it."""
    frame_first: bool = True


_OPEN_TO_PAGES: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET,POST,PUT,PATCH,DELETE,OPTIONS",
    "Access-Control-Allow-Headers": "Authorization,Content-Type,Accept,appId,apiKey,authToken,resource,sdk,"
    "chatApiVersion,settingsHash,settingsHashReceivedAt",
    "Access-Control-Expose-Headers": "*",
}
"""What OpenChat says to every page on every answer but an empty 500 (measured)."""


def cors_headers(request: Request) -> dict[str, str]:
    """What a browser wants to see before it lets a page read the answer."""
    origin = request.headers.get("Origin")
    if origin is None:
        return {}
    headers = {"Access-Control-Allow-Origin": origin, "Vary": "Origin", "Access-Control-Expose-Headers": "*"}
    if request.method == "OPTIONS":
        wanted = request.headers.get("Access-Control-Request-Headers", "*")
        headers |= {
            "Access-Control-Allow-Methods": "GET,POST,PUT,PATCH,DELETE,OPTIONS",
            "Access-Control-Allow-Headers": wanted,
            "Access-Control-Max-Age": "600",
        }
    return headers


_write: Final = json.JSONEncoder(separators=(",", ":")).encode


def read_body(request: Request) -> tuple[Json, str | None]:
    """Read the body: its value (without one an empty object), or the reason why it cannot be read."""
    if request.too_large:
        return None, "too_large"
    if request.body is None:
        return None, "malformed"
    return _parse(request.body, request.headers.get("Content-Type", "")) if request.body else ({}, None)


def _parse(raw: bytes, content_type: str) -> tuple[Json, str | None]:
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            return _form(raw, content_type), None
        if kind == "application/x-www-form-urlencoded":
            return nested(parse_qsl(raw.decode(), keep_blank_values=True)), None
        if kind != "application/json" and not kind.endswith("+json"):
            return None, "bad_content_type"
        return read_json(raw.decode()), None
    except (ValueError, LookupError, RecursionError):  # LookupError: no such encoding of a form's field
        return None, "malformed"


def _form(raw: bytes, content_type: str) -> dict[str, Json]:
    """The fields of a form; of its files name, kind and size."""
    from email.parser import BytesParser  # noqa: PLC0415  forms are rare, and this takes 10 ms
    from email.policy import HTTP  # noqa: PLC0415  likewise

    form = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + raw)
    pairs: list[tuple[str, Json]] = []
    for part in form.iter_parts():
        name, filename = part.get_param("name", header="Content-Disposition"), part.get_filename()
        if name and filename:
            size = len(part.get_payload(decode=True) or b"")
            pairs.append((str(name), Upload(name=filename, mimeType=part.get_content_type(), size=size)))
        elif name:
            pairs.append((str(name), str(part.get_content())))
    return nested(pairs)


def is_preflight(request: Request) -> bool:
    """Whether a browser asks before it sends a page's request."""
    return request.method == "OPTIONS" and "Origin" in request.headers


def seen_of(request: Request, body: Json, unreadable: str | None) -> dict[str, Any]:
    """Say in the journal what came; of tokens only where they stood."""
    headers = request.headers
    seen = request.note(body if unreadable is None else None)
    if unreadable is not None:
        seen["unreadable"] = unreadable
    for name in ("resource", "appId", "onBehalfOf", "sdk"):
        if name in headers:
            seen[name] = headers[name]
    seen["token_in"] = [name for name in ("authtoken", "authorization", "apikey") if name in headers]
    return seen


class Wire:
    """Takes one request through faults and journal, and answers it.

    Args:
        injector: What goes wrong on purpose.
        journal: Takes every request and answer.
        whose: Tells by its headers whose a request is that never reaches the service.
        open_chat: Whether the chat is open to every page, whatever it asks.
    """

    def __init__(
        self,
        injector: FaultInjector,
        journal: Journal,
        *,
        whose: Callable[[Mapping[str, str]], str | None],
        open_chat: bool = False,
    ) -> None:
        self._whose = whose
        self._open_chat = open_chat
        self._injector = injector
        self._journal = journal

    async def exchange(
        self,
        request: Request,
        *,
        service: str,
        point: str,
        seen: Callable[[], Mapping[str, Any]],
        do: Callable[[], Outcome],
    ) -> Response | None:
        """Do what a request asks for, or what the fault at `point` says.

        Args:
            request: The request, its body already read.
            service: `chat` or `gateway`, for the journal.
            point: Where faults hit.
            seen: Says what the journal is to say about the request.
            do: The store step: does it and says what to answer. Called at most once.
        """
        before = self._injector.before_request(point)
        fault_id = before.fault_id
        if before.instead is not None:
            uid = self._whose(request.headers)
            self._journal.record(service, "in", "http", fault=fault_id, uid=uid, **seen())
            return await self.instead(request, service, before)
        if request.gone:
            uid = self._whose(request.headers)
            self._journal.record(service, "in", "http", fault=fault_id, uid=uid, gone=True, **seen())
            return None
        outcome = do()
        extra = {"unknown_route": True} if outcome.unknown_route else {}
        self._journal.record(service, "in", "http", fault=fault_id, uid=outcome.uid, **seen(), **extra)
        if outcome.pushing is not None and outcome.frame_first:
            outcome.pushing()
        after = self._injector.after_request(before.fault)
        if before.fault is not None and after.end is not None:
            await self._injector.pause(after.wait_s)
            self._cut(request, service, before.fault)
        else:
            await self._injector.pause(outcome.delay_s + after.wait_s)
            request.answer(self.respond(request, service, outcome, fault_id))
        if outcome.pushing is not None and not outcome.frame_first:
            outcome.pushing()
        return None

    async def instead(self, request: Request, service: str, before: Before) -> Response | None:
        """Do what a fault does in the place of the service: nothing is stored."""
        fault = before.fault
        if fault is None:
            return None
        if before.instead == "hang":
            await self._injector.hang()
        await self._injector.pause(before.wait_s)
        if before.instead in {"hang", "cut", None}:  # None: an upgrade has nothing to store
            self._cut(request, service, fault)
            return None
        if before.instead == "garbage":
            outcome = Outcome(200, _GARBAGE, {"Content-Type": "text/html", **(fault.headers or {})})
            if fault.body is not None:
                outcome.body = fault.body
        else:
            headers = dict(fault.headers or {})
            if isinstance(fault.body, str):
                headers.setdefault("Content-Type", "text/html; charset=utf-8")
            outcome = Outcome(503 if fault.status is None else fault.status, fault.body, headers)
        return self.respond(request, service, outcome, fault.id)

    def allow(self, request: Request, service: str) -> Response:
        """Answer what a browser asks before it sends a page's request."""
        self._journal.record(service, "in", "http", **request.note())
        return self.respond(request, service, Outcome(204))

    def _cut(self, request: Request, service: str, fault: Fault) -> None:
        uid = self._whose(request.headers)
        self._journal.record(
            service, "out", "close", fault=fault.id, uid=uid, deed=fault.do, path=request.target
        )
        request.abort()

    def respond(self, request: Request, service: str, outcome: Outcome, fault: int | None = None) -> Response:
        """Make the response and write it into the journal."""
        headers = dict(outcome.headers or {})
        if outcome.body is None:
            text = ""
        elif isinstance(outcome.body, str):
            text = outcome.body
        else:
            text = _write(outcome.body)
            headers = {**_JSON_HEADERS, **headers}
        # As text: what went over the wire, and nothing for the journal to copy.
        self._journal.record(
            service,
            "out",
            "http",
            fault=fault,
            method=request.method,
            path=request.target,
            status=outcome.status,
            body="" if request.method == "HEAD" else text,  # which is not sent
        )
        if service != "chat" or not self._open_chat:
            headers |= cors_headers(request)
        elif outcome.status != HTTPStatus.INTERNAL_SERVER_ERROR:
            headers |= _OPEN_TO_PAGES
        return Response(status=outcome.status, body=text.encode(errors="replace"), headers=headers)
