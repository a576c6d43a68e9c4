"""The room socket's HTTP requests: which of them become connections."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlsplit

from hangbot.sandbox.faults import Fault
from hangbot.sandbox.injector import Before
from hangbot.sandbox.notes import note
from hangbot.sandbox.room import primus
from hangbot.sandbox.room.connection import SOCKET_OPTIONS, RoomConnection
from hangbot.sandbox.room.context import RoomContext
from hangbot.sandbox.websocket import ABNORMAL, ConnectionListener, WebSocketConnection
from hangbot.web.http import Request, Response

__all__ = ["LARGEST_REQUEST", "Handshake"]

LARGEST_REQUEST: Final = 64 * 1024
"""Bytes of a request's body; none is wanted here."""

_PATH: Final = "/primus"
_CLOSE: Final = {"Connection": "close"}


class Handshake:
    """Answers requests as Primus and ActionHero do, or as a fault has it.

    Args:
        context: The surroundings.
        listener: Hears what happens to connections.
    """

    def __init__(self, context: RoomContext, listener: ConnectionListener[RoomConnection]) -> None:
        self._context = context
        self._listener = listener

    async def handle(self, request: Request) -> Response | None:
        """Answer a request, or make it a connection."""
        path = request.target.partition("?")[0]
        known: dict[str, bool] = {} if path.startswith(_PATH) else {"unknown_route": True}
        self._context.journal.record("room", "in", "http", conn=request.conn, **note(request), **known)
        if "websocket" not in request.headers.get("Upgrade", "").lower():
            return self._plain(request, path)
        if known:
            await _for_ever()  # nothing listens there, and nothing says so: the client has to time out
        if request.method != "GET":
            headers = {"Content-Type": "text/html", **_CLOSE}  # as npm's ws has it
            return self._answer(request, HTTPStatus.METHOD_NOT_ALLOWED, "Invalid HTTP method", headers)
        if not request.can_upgrade:
            return self._answer(request, HTTPStatus.BAD_REQUEST, "Bad Request", _CLOSE)
        before = self._context.injector.before_request("room.connect")
        if before.fault is not None and before.instead is not None:
            return await self._instead(request, before, before.fault)
        after = self._context.injector.after_request(before.fault)
        if before.fault is not None and after.end is None:  # a handshake cannot be doubled or reordered
            self._note(request, before.fault)
            await self._context.injector.pause(after.wait_s)
        token = _token(request.target)
        person = self._context.people.by_token(token)
        if person is None and self._context.variants.bad_token == "handshake":  # noqa: S105  a policy, not a token
            return self._answer(request, HTTPStatus.UNAUTHORIZED, "Unauthorized", _CLOSE)
        conn = RoomConnection(request.conn, token, person, self._context.journal, self._context.clock)
        conn.socket = WebSocketConnection(self._listener, conn, SOCKET_OPTIONS)
        if before.fault is not None and after.end is not None:
            conn.ending = after.end, before.fault.id
        if not request.gone:
            request.hand_over(conn.socket)
        return None

    async def _instead(self, request: Request, before: Before, fault: Fault) -> Response | None:
        """Do what a fault does in the place of a handshake."""
        if before.instead == "hang":
            self._note(request, fault)
        elif before.instead == "cut":
            row = {"conn": request.conn, "uid": None, "how": "abort", "code": ABNORMAL}
            self._context.journal.record("room", "out", "close", fault=fault.id, **row)
            request.abort()
        else:
            status = fault.status or (503 if before.instead == "status" else 200)
            body = fault.body if isinstance(fault.body, str) else primus.encode(fault.body or "")
            return self._answer(request, status, body, {**(fault.headers or {}), **_CLOSE}, fault=fault.id)
        await _for_ever()
        return None

    def _plain(self, request: Request, path: str) -> Response:
        """Answer what wants no connection, whatever its method, as Primus and ActionHero do."""
        variants = self._context.variants
        if path == primus.SPEC_PATH and variants.spec:
            body = primus.spec(variants.ping_interval_s)
            return self._answer(request, HTTPStatus.OK, body, {"Content-Type": "application/json"})
        if path.startswith(_PATH):
            return self._answer(request, HTTPStatus.UPGRADE_REQUIRED, "Upgrade Required")
        return self._answer(request, HTTPStatus.NOT_FOUND, "That file is not found")

    def _answer(
        self,
        request: Request,
        status: int,
        body: str,
        headers: Mapping[str, str] | None = None,
        *,
        fault: int | None = None,
    ) -> Response:
        shown = "" if request.method == "HEAD" else body  # which is not sent
        row = {"method": request.method, "path": request.target, "status": status, "body": shown}
        self._context.journal.record("room", "out", "http", fault=fault, conn=request.conn, **row)
        raw = body.encode("utf-8", "replace")
        return Response(status, raw, {"Content-Type": "text/plain", **(headers or {})})

    def _note(self, request: Request, fault: Fault) -> None:
        row = {"conn": request.conn, "deed": fault.do}
        self._context.journal.record("room", "out", "http", fault=fault.id, **row)


async def _for_ever() -> None:
    """Wait for the connection to end, which cancels what waits."""
    await asyncio.get_running_loop().create_future()


def _token(path: str) -> str:
    try:
        values = parse_qs(urlsplit(path).query, keep_blank_values=True).get("token", [""])
    except ValueError:
        return ""
    return values[-1]
