"""The control API: faults, journal, actors and time over HTTP, for bots in any language.

Loopback only, and only for requests that name a loopback host: a page from elsewhere in a
developer's browser could otherwise steer the sandbox (or, by DNS rebinding, read it).
"""

from http import HTTPStatus
from typing import Final
from urllib.parse import unquote, urlsplit

from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.control_calls import CALLS, ControlCall
from hangbot.sandbox.control_request import MalformedCall, UnknownThing, answer, path_of, refusal
from hangbot.sandbox.paths import match_path
from hangbot.sandbox.room.room import ActionRefused
from hangbot.sandbox.sandbox import Sandbox
from hangbot.web.http import Request, Response
from hangbot.web.server import Handler

__all__ = ["LARGEST_COMMAND", "control_api"]

LARGEST_COMMAND: Final = 16 * 1024 * 1024
"""Bytes of a request to the control API."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def control_api(sandbox: Sandbox) -> Handler:
    """Return the control API of a sandbox; every refusal is a JSON object with ``error``."""

    async def handle(request: Request) -> Response:
        if not _is_loopback(f"http://{request.headers.get('Host', '')}"):
            return answer({"error": "the control API answers on 127.0.0.1 only"}, 403)
        origin = request.headers.get("Origin")
        if origin is not None and not _is_loopback(origin):
            return answer({"error": "the control API does not answer other hosts' pages"}, 403)
        try:
            return await _route(sandbox, request)
        except MalformedCall as exc:
            return answer({"error": str(exc)}, 400)
        except (ActionRefused, ChatRefusal) as exc:
            return answer({"error": f"refused: {exc}"}, 400)
        except UnknownThing as exc:
            return answer({"error": str(exc)}, 404)

    return handle


async def _route(sandbox: Sandbox, request: Request) -> Response:
    if request.too_large:
        return refusal(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    calls, ids = _calls_at([unquote(part) for part in path_of(request).removeprefix("/").split("/")])
    call = calls.get("GET" if request.method == "HEAD" else request.method)
    if call is None:
        return refusal(request, HTTPStatus.METHOD_NOT_ALLOWED if calls else HTTPStatus.NOT_FOUND)
    return await call(sandbox, request, *ids)


def _calls_at(segments: list[str]) -> tuple[dict[str, ControlCall], tuple[str, ...]]:
    """Return what can be called at a path, by method, and the segments that are ids."""
    for path, calls in CALLS.items():
        ids = match_path(path, segments)
        if ids is not None:
            return calls, ids
    return {}, ()


def _is_loopback(url: str) -> bool:
    try:
        return urlsplit(url).hostname in _LOOPBACK
    except ValueError:
        return False
