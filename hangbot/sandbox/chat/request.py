"""Requests to chat and gateway: their bodies, what the journal keeps of them, what pages may read."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from hangbot.sandbox.chat.media import Upload
from hangbot.sandbox.chat.rows import Json
from hangbot.sandbox.chat.values import nested
from hangbot.sandbox.notes import note, read_json
from hangbot.web.http import Request

__all__ = ["LARGEST_BODY", "is_preflight", "journal_row", "open_to_origin", "open_to_pages", "read_body"]

LARGEST_BODY: Final = 10_000_000
"""OpenChat's limit for a request body, bytes."""

_OPEN_TO_PAGES: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET,POST,PUT,PATCH,DELETE,OPTIONS",
    "Access-Control-Allow-Headers": "Authorization,Content-Type,Accept,appId,apiKey,authToken,resource,sdk,"
    "chatApiVersion,settingsHash,settingsHashReceivedAt",
    "Access-Control-Expose-Headers": "*",
}
"""What OpenChat sends with every answer but an empty 500 (measured)."""


def open_to_pages(_request: Request, status: int) -> Mapping[str, str]:
    """OpenChat's headers for pages: whatever a page asks, it may read the answer."""
    return {} if status == HTTPStatus.INTERNAL_SERVER_ERROR else _OPEN_TO_PAGES


def open_to_origin(request: Request, _status: int) -> Mapping[str, str]:
    """Return what a browser wants to see before it lets a page read the answer."""
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
    """Return the fields of a form; of its files name, kind and size."""
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
    """Return whether a browser asks whether it may send a page's request."""
    return request.method == "OPTIONS" and "Origin" in request.headers


def journal_row(request: Request, body: Json, unreadable: str | None) -> dict[str, Any]:
    """Return what the journal keeps of a request; of tokens only the headers they stood in."""
    headers = request.headers
    seen = note(request, body if unreadable is None else None)
    if unreadable is not None:
        seen["unreadable"] = unreadable
    for name in ("resource", "appId", "onBehalfOf", "sdk"):
        if name in headers:
            seen[name] = headers[name]
    seen["token_in"] = [name for name in ("authtoken", "authorization", "apikey") if name in headers]
    return seen
