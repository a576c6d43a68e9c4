"""What calls of the control API share: reading a request, refusing it, answering with JSON."""

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote

from hangbot.web.http import Request, Response

__all__ = [
    "Body",
    "MalformedCall",
    "UnknownThing",
    "answer",
    "duration",
    "json_object",
    "path_of",
    "query_of",
    "refusal",
]

Body = dict[str, Any]


class MalformedCall(Exception):
    """A request that cannot be understood: 400."""


class UnknownThing(Exception):
    """A thing that does not exist: 404."""


def json_object(request: Request, needs: Body | None = None, may: Body | None = None) -> Body:
    """Return the request's JSON object: the fields it needs and may have, of those types, and no others.

    Raises:
        MalformedCall: It is another one, or none.
    """
    needs, may = needs or {}, may or {}
    raw = request.body
    if raw is None:
        raise MalformedCall("the body cannot be unpacked")
    try:
        body = json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError):
        raise MalformedCall("the body is no JSON") from None
    if not isinstance(body, dict):
        raise MalformedCall("the body must be a JSON object")
    for name, value in body.items():
        wanted = needs.get(name) or may.get(name)
        if wanted is None:
            raise MalformedCall(f"unknown field: {name}")
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted not in {bool, object}):
            raise MalformedCall(f"{name} is of the wrong type")
    for name in needs:
        if name not in body:
            raise MalformedCall(f"{name} is missing")
    return body


def duration(number: float, name: str, *, most: int) -> float:
    """Return a duration, if it is one of at most so many of its units.

    Raises:
        MalformedCall: It is none.
    """
    if not 0 <= number <= most:
        raise MalformedCall(f"{name} must be from 0 to {most}")
    return number


def path_of(request: Request) -> str:
    """Return the path, without the query."""
    return request.target.partition("?")[0]


def query_of(request: Request, name: str) -> str:
    """Return a parameter of the query; empty where it is missing."""
    query = request.target.partition("?")[2]
    return parse_qs(query, keep_blank_values=True).get(name, [""])[0]


def answer(body: Body, status: int = 200) -> Response:
    """Answer with a JSON object."""
    text = json.dumps(body, default=str)
    return Response(status, text.encode(), {"Content-Type": "application/json; charset=utf-8"})


def refusal(request: Request, status: HTTPStatus) -> Response:
    """Answer that a call cannot be routed or read."""
    return answer({"error": f"{status.phrase}: {request.method} {unquote(path_of(request))}"}, status)
