"""The room socket's door: which requests become connections."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlsplit

from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.faults import Fault, Faults
from hangbot.sandbox.http import Request, Response
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.people import People
from hangbot.sandbox.room import primus
from hangbot.sandbox.room.connection import Hub, RoomConnection
from hangbot.sandbox.room.variants import RoomVariants

__all__ = ["LARGEST_REQUEST", "Handshake"]

LARGEST_REQUEST: Final = 64 * 1024
"""Bytes of a request's body; nobody here wants one."""

_PATH: Final = "/primus"
_ENDINGS: Final = frozenset({"close", "close_deliberate", "abort", "cut_after_store"})


class Handshake:
    """Answers requests as Primus and ActionHero do, or as a fault has it.

    Args:
        hub: Whom connections tell what happens to them.
        people: Whose tokens are good.
        faults: What goes wrong.
        journal: Where everything is written.
        clock: The sandbox's clock.
        variants: The unknowns, settled.
    """

    def __init__(
        self,
        hub: Hub,
        people: People,
        faults: Faults,
        journal: Journal,
        clock: SandboxClock,
        *,
        variants: RoomVariants,
    ) -> None:
        self._hub = hub
        self._people = people
        self._faults = faults
        self._journal = journal
        self._clock = clock
        self._variants = variants

    async def handle(self, request: Request) -> Response | None:
        """Answer a request, or make it a connection."""
        path = request.target.partition("?")[0]
        known: dict[str, bool] = {} if path.startswith(_PATH) else {"unknown_route": True}
        self._journal.record("room", "in", "http", conn=request.conn, **request.note(), **known)
        if "websocket" not in request.headers.get("Upgrade", "").lower():
            return self._plain(request, path)
        if known:
            await _for_ever()  # nobody listens there, and nobody says so: the client has to time out
        if request.method != "GET":
            headers = {"Content-Type": "text/html", "Connection": "close"}  # as npm's ws has it
            return self._answer(request, HTTPStatus.METHOD_NOT_ALLOWED, "Invalid HTTP method", headers)
        if not request.can_upgrade:
            return self._answer(request, HTTPStatus.BAD_REQUEST, "Bad Request", {"Connection": "close"})
        fault = self._faults.take("room.connect")
        ending = None
        if fault is not None:
            answer = await self._spoil(request, fault)
            if answer is not None:
                return answer
            if fault.do in _ENDINGS:
                ending = fault  # as soon as the handshake is done
        conn = RoomConnection(self._hub, request.conn)
        conn.ending = ending
        conn.token = _token(request.target)
        conn.person = self._people.by_token(conn.token)
        if conn.person is None and self._variants.bad_token == "handshake":  # noqa: S105  a policy, not a token
            return self._answer(request, HTTPStatus.UNAUTHORIZED, "Unauthorized", {"Connection": "close"})
        if not request.gone:
            request.hand_over(conn)
        return None

    async def _spoil(self, request: Request, fault: Fault) -> Response | None:
        """Do what a fault does to a handshake; ``None`` lets it happen all the same."""
        match fault.do:
            case "status" | "garbage":
                status = fault.status or (503 if fault.do == "status" else 200)
                body = fault.body if isinstance(fault.body, str) else primus.encode(fault.body or "")
                headers = {**(fault.headers or {}), "Connection": "close"}
                return self._answer(request, status, body, headers, fault=fault.id)
            case "delay":
                self._note(request, fault)
                over = asyncio.get_running_loop().create_future()
                timer = self._clock.call_later((fault.ms or 0) / 1000, lambda: _let_go(over))
                try:
                    await over
                finally:
                    timer.cancel()
            case "hang" | "drop":
                self._note(request, fault)
                await _for_ever()
            case "duplicate" | "reorder":
                self._note(request, fault)  # a handshake has no twin and no neighbour
            case do if do not in _ENDINGS:
                self._journal.record(
                    "room",
                    "out",
                    "close",
                    fault=fault.id,
                    conn=request.conn,
                    uid=None,
                    how="abort",
                    code=1006,
                )
                request.abort()
                await _for_ever()  # which ends with the connection
        return None

    def _plain(self, request: Request, path: str) -> Response:
        """Whatever the method, as Primus and ActionHero do."""
        if path == primus.SPEC_PATH and self._variants.spec:
            body = primus.spec(self._variants.ping_interval_s)
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
        raw = body.encode("utf-8", "replace")
        self._journal.record(
            "room",
            "out",
            "http",
            fault=fault,
            conn=request.conn,
            method=request.method,
            path=request.target,
            status=status,
            body="" if request.method == "HEAD" else body,  # which is not sent
        )
        return Response(status, raw, {"Content-Type": "text/plain", **(headers or {})})

    def _note(self, request: Request, fault: Fault) -> None:
        self._journal.record("room", "out", "http", fault=fault.id, conn=request.conn, deed=fault.do)


async def _for_ever() -> None:
    """Wait for the connection to end, which cancels what waits."""
    await asyncio.get_running_loop().create_future()


def _let_go(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _token(path: str) -> str:
    try:
        values = parse_qs(urlsplit(path).query, keep_blank_values=True).get("token", [""])
    except ValueError:
        return ""
    return values[-1]
