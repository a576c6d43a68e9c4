"""Websockets: connects to one, and turns whatever answers in its place into errors of ours.

Only what is wrong before the first byte is sent (the address itself, a proxy that the environment
misspells) is a fault of the configuration. Any answer may be a firewall's, a login page's or that of a
server in trouble, and may be another one in a minute: it is never final.
"""

import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.http11 import Response
from websockets.uri import parse_uri

from hangbot.claims import read_claims
from hangbot.clock import Clock
from hangbot.errors import ConfigError, ServiceError, TokenRejected, Unavailable, Unreachable
from hangbot.hangfm.dial import dial, is_address
from hangbot.hangfm.kept_connection import KeptConnection
from hangbot.hangfm.wire.answers import is_page, refuses_upgrade
from hangbot.hangfm.wire.frames import socket_url
from hangbot.journal import SILENT, Journal
from hangbot.net import is_loopback, unverified
from hangbot.proxies import is_proxied, unusable_environment
from hangbot.redact import RedactingFilter, Redactor
from hangbot.text import quote_server_text

__all__ = [
    "Connection",
    "Dial",
    "FrameTap",
    "Server",
    "close_code",
    "connect_room",
    "connect_websocket",
    "dial_websocket",
]

_LARGEST_FRAME: Final = 16 * 2**20
"""Bytes: a room's state was seen with 105 KB, most of it a poster; the library's own limit is 1 MiB."""
_DAY: Final = 86_400.0

_wire_logger = logging.getLogger("hangbot.websocket")
_wire_logger.addFilter(
    RedactingFilter(Redactor())
)  # at DEBUG it prints the request line, and in it the token


class Connection(Protocol):
    """What the client needs of a websocket."""

    async def send(self, message: str) -> None:
        """Send a text frame."""

    async def recv(self) -> str | bytes:
        """Return the next frame; raise `websockets.exceptions.ConnectionClosed` at the end."""

    async def ping(self) -> Awaitable[float]:
        """Send a ping, and return what is done when it has been answered."""

    async def close(self) -> None:
        """Close it, within a bounded time."""


class Dial(Protocol):
    """Opens a websocket; raises what the library raises, or `OSError`."""

    async def __call__(self, url: str, *, local: bool) -> Connection:
        """Connect to an address, which may hold a token; where it is ``local``, TLS is not verified."""


class Server(NamedTuple):
    """What is connected to, as errors name it.

    Attributes:
        service: ``room`` or ``chat``.
        where: Its address, as it is configured.
        setting: The setting that holds the address.
    """

    service: str
    where: str
    setting: str


async def connect_room(
    where: str,
    token: str,
    *,
    within: float,
    clock: Clock,
    journal: Journal = SILENT,
    dialling: Dial | None = None,
) -> Connection:
    """Connect to the room socket.

    Args:
        where: The room's address, as it is configured.
        token: The room token.
        within: Seconds for all of it.
        clock: Bounds it, and says since when a token has expired.
        journal: As for `connect_websocket`.
        dialling: As for `connect_websocket`.

    Raises:
        TokenRejected: The room refused it with 401 or 403, in its own words.
        HangbotError: Otherwise as `connect_websocket` does.
    """
    server = Server("room", where, "SOCKET_SERVER_URL")

    def refuse(response: Response) -> ServiceError:
        return _refused_by_room(server, response, token, clock.wall())

    url = socket_url(where, token)
    return await connect_websocket(
        url, server, within=within, clock=clock, refuse=refuse, journal=journal, dialling=dialling
    )


async def connect_websocket(
    url: str,
    server: Server,
    *,
    within: float,
    clock: Clock,
    refuse: Callable[[Response], ServiceError] | None = None,
    journal: Journal = SILENT,
    dialling: Dial | None = None,
) -> Connection:
    """Connect to a websocket.

    Args:
        url: What to connect to; it may hold a token.
        server: What errors call it.
        within: Seconds for all of it.
        clock: Bounds it.
        refuse: Says what an answer other than the upgrade means; by default that another service
            answers, or one in trouble.
        journal: Keeps how that went, and what passes over it.
        dialling: Opens it; by default `dial_websocket` does.

    Raises:
        Unreachable: No connection.
        Unavailable: What answers is no such server, or one in trouble.
        ConfigError: There is no such address, or the environment's proxy cannot be used.
    """
    service, where, setting = server
    # Every `from None`: the library's exceptions may hold the address, and with it the token.
    try:
        opening = (dialling or dial_websocket)(url, local=is_loopback(where))
        return await _kept(clock.wait_for(opening, within), service, journal)
    except InvalidStatus as exc:
        raise (refuse(exc.response) if refuse else _answered(server, exc.response)) from None
    except (InvalidURI, UnicodeError):
        raise ConfigError(f"{setting} {where} is no address of a {service} server") from None
    except InvalidProxy as exc:
        raise unusable_environment(exc) from None
    except TimeoutError:
        raise Unreachable(f"no connection to {where} in {within:g} s", service=service) from None
    except OSError as exc:  # before ValueError: a certificate that is refused is both
        cause = exc.strerror or type(exc).__name__
        raise Unreachable(f"no connection to {where}: {cause}", service=service) from None
    except (InvalidHandshake, WebSocketException, EOFError) as exc:
        kind = type(exc).__name__
        raise Unavailable(
            f"{where} does not speak websocket ({kind})", service=service, remedy=_no_such_server(server)
        ) from None
    except (ImportError, ValueError) as exc:
        raise unusable_environment(exc) from None


async def _kept(opening: Awaitable[Connection], service: str, journal: Journal) -> Connection:
    """Await a connection, and keep how that went."""
    if not journal.keeps:
        return await opening
    number = journal.number()
    journal.add("open", number, service)
    try:
        connection = await opening
    except InvalidStatus as exc:
        answer = exc.response
        journal.add("refused", number, answer.status_code, _headers(answer), bytes(answer.body or b""))
        raise
    except BaseException as exc:
        journal.add("unopened", number, type(exc).__name__, exc.errno if isinstance(exc, OSError) else None)
        raise
    journal.opened(number, service)
    return KeptConnection(connection, journal, number)


async def dial_websocket(url: str, *, local: bool) -> Connection:
    """Open a websocket over the network, as a `Dial`."""
    sock = await _dialled(url, local=local)
    return await _Connect(
        url,
        proxy=None if local or sock else True,
        ssl=(unverified() if local else True) if url.startswith("wss:") else None,
        open_timeout=None,
        close_timeout=1.0,
        max_size=_LARGEST_FRAME,
        compression=None,
        logger=_wire_logger,
        user_agent_header="hangbot",
        sock=sock,
    )


async def _dialled(url: str, *, local: bool) -> socket.socket | None:
    """Connect to a name; ``None`` for an address or a proxy, to which the library connects by itself."""
    uri = parse_uri(url)
    if is_address(uri.host):
        return None
    proxied = not local and is_proxied(uri.host, uri.port, secure=uri.secure)
    return None if proxied else await dial(uri.host, uri.port)


class _Connect(connect):
    """Connects to the address that is configured and to no other: a redirect is an answer like any page."""

    def process_redirect(self, exc: Exception) -> Exception:
        """Follow none: it would send the token wherever a machine on the way says."""
        return exc


def _no_such_server(server: Server) -> str:
    return (
        f"Check {server.setting}; if it is right, something on the way answers in the {server.service}'s "
        "place: a proxy, a firewall or a login page."
    )


def _refused_by_room(server: Server, response: Response, token: str, now: float) -> ServiceError:
    status, body = response.status_code, bytes(response.body or b"")
    if not refuses_upgrade(status, _headers(response), body):
        return _answered(server, response)
    return TokenRejected(
        f"{server.where} refused the connection with status {status}{_expired(token, now)}",
        service=server.service,
        status=status,
        remedy="Renew BOT_USER_TOKEN (or TTFM_API_TOKEN, where it is set): the room socket refuses it.",
    )


def _answered(server: Server, response: Response) -> ServiceError:
    """Return what an answer other than an upgrade means where it cannot be about a token."""
    status, headers, body = response.status_code, _headers(response), bytes(response.body or b"")
    what = ""
    if "location" in headers:
        what = f", a redirect{_to(headers['location'])}"
    elif is_page(headers, body):
        what = ", a web page"
    in_trouble = (
        f"The {server.service} server, or a proxy before it, is in trouble: wait, and look at its status."
    )
    return Unavailable(
        f"{server.where} answered the connection with status {status}{what}",
        service=server.service,
        status=status,
        remedy=in_trouble if status >= 500 else _no_such_server(server),  # noqa: PLR2004  HTTP
    )


def _headers(response: Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.raw_items()}


def _to(location: str) -> str:
    """Say where a redirect leads, by its host alone: the rest may repeat the token."""
    try:
        host = urlsplit(location).hostname
    except ValueError:
        host = None
    return f" to {quote_server_text(host)}" if host else ""


def _expired(token: str, now: float) -> str:
    claims = read_claims(token)
    if claims is None or claims.expires_at is None or claims.expires_at >= now:
        return ""
    return f"; the token expired {(now - claims.expires_at) / _DAY:.1f} days ago"


def close_code(closed: ConnectionClosed) -> str:
    """Say with which code a connection was closed, and why, where this side did it."""
    if closed.rcvd is not None:
        return f"close code {closed.rcvd.code}"
    if closed.sent is not None:
        return (
            f"closed with code {closed.sent.code}{f' ({closed.sent.reason})' if closed.sent.reason else ''}"
        )
    return "close code 1006"


@dataclass(frozen=True, slots=True)
class FrameTap:
    """A connection that shows every frame to a listener before it is read."""

    connection: Connection
    on_frame: Callable[[str | bytes], None]

    async def send(self, message: str) -> None:
        """Send a text frame."""
        await self.connection.send(message)

    async def recv(self) -> str | bytes:
        """Return the next frame, which the listener has seen."""
        frame = await self.connection.recv()
        self.on_frame(frame)
        return frame

    async def ping(self) -> Awaitable[float]:
        """Send a ping."""
        return await self.connection.ping()

    async def close(self) -> None:
        """Close it."""
        await self.connection.close()
