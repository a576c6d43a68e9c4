"""The room socket's door: which requests become connections."""

import asyncio
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.faults import Fault, Faults
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.people import People
from hangbot.sandbox.room import primus
from hangbot.sandbox.room.connection import RoomConnection
from hangbot.sandbox.room.variants import RoomVariants

__all__ = ["Handshake", "bare", "ours"]

_PATH: Final = "/primus"


class Handshake:
    """Answers requests as Primus and ActionHero do, or as a fault has it.

    Args:
        people: Whose tokens are good.
        faults: What goes wrong.
        journal: Where everything is written.
        clock: The sandbox's clock.
        variants: The unknowns, settled.
    """

    def __init__(
        self, people: People, faults: Faults, journal: Journal, clock: SandboxClock, variants: RoomVariants
    ) -> None:
        self._people = people
        self._faults = faults
        self._journal = journal
        self._clock = clock
        self._variants = variants

    async def on_request(self, ws: ServerConnection, request: Request) -> Response | None:
        """``None`` lets the upgrade happen (or comes when the client has gone)."""
        conn = ours(ws)
        path = request.path.partition("?")[0]
        known: dict[str, bool] = {} if path.startswith(_PATH) else {"unknown_route": True}
        self._journal.record("room", "in", "http", conn=conn.number, method="GET", path=request.path, **known)
        if "websocket" not in request.headers.get("Upgrade", "").lower():
            return self._plain(conn, path)
        if known:
            await conn.wait_closed()  # nobody listens there, and nobody says so: the client has to time out
            return None
        fault = self._faults.take("room.connect")
        if fault is not None and (answer := await self._spoil_handshake(conn, fault)) is not None:
            return answer
        conn.token = _token(request.path)
        conn.person = self._people.by_token(conn.token)
        if conn.person is None and self._variants.bad_token == "handshake":  # noqa: S105  a policy, not a token
            return self._answer(conn, HTTPStatus.UNAUTHORIZED, "Unauthorized")
        return None

    async def _spoil_handshake(self, conn: RoomConnection, fault: Fault) -> Response | None:
        match fault.do:
            case "status" | "garbage":
                status = fault.status or (503 if fault.do == "status" else 200)
                body = fault.body if isinstance(fault.body, str) else primus.encode(fault.body or "")
                return self._answer(conn, status, body, headers=dict(fault.headers or {}), fault=fault.id)
            case "delay":
                self._note(conn, fault)
                over = asyncio.get_running_loop().create_future()
                self._clock.call_later((fault.ms or 0) / 1000, over.cancel)
                await asyncio.wait([over, conn.connection_lost_waiter], return_when=asyncio.FIRST_COMPLETED)
            case "hang" | "drop":
                self._note(conn, fault)
                await conn.wait_closed()
            case "close" | "close_deliberate" | "abort" | "cut_after_store":
                conn.ending = fault  # as soon as the handshake is done
            case "duplicate" | "reorder":
                self._note(conn, fault)  # a handshake has no twin and no neighbour
            case _:
                conn.abort(fault.id)
                await conn.wait_closed()
        return None

    def _plain(self, conn: RoomConnection, path: str) -> Response:
        if path == primus.SPEC_PATH and self._variants.spec:
            body = primus.spec(self._variants.ping_interval_s)
            return self._answer(conn, HTTPStatus.OK, body, {"Content-Type": "application/json"})
        if path.startswith(_PATH):
            return self._answer(conn, HTTPStatus.UPGRADE_REQUIRED, "Upgrade Required")
        return self._answer(conn, HTTPStatus.NOT_FOUND, "That file is not found")

    def _answer(
        self,
        conn: RoomConnection,
        status: int,
        body: str,
        headers: dict[str, str] | None = None,
        *,
        fault: int | None = None,
    ) -> Response:
        self._journal.record("room", "out", "http", fault=fault, conn=conn.number, status=status, body=body)
        raw = body.encode("utf-8", "replace")
        fields = {"Content-Type": "text/plain", **(headers or {})}
        fields |= {"Content-Length": str(len(raw)), "Connection": "close"}
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Unknown"
        return Response(status, phrase, Headers(fields), raw)

    def _note(self, conn: RoomConnection, fault: Fault) -> None:
        self._journal.record("room", "out", "http", fault=fault.id, conn=conn.number, deed=fault.do)


def ours(ws: ServerConnection) -> RoomConnection:
    """The connection as what it is; the server makes no others."""
    if not isinstance(ws, RoomConnection):  # `create_connection` makes no others
        raise TypeError(type(ws).__name__)
    return ws


def bare(_ws: ServerConnection, _request: Request, response: Response) -> None:
    """A 101 as ActionHero gives it: without date and server."""
    if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
        del response.headers["Date"]


def _token(path: str) -> str:
    try:
        values = parse_qs(urlsplit(path).query, keep_blank_values=True).get("token", [""])
    except ValueError:
        return ""
    return values[-1]
