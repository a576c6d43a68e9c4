"""Where a fleet's cluster is, as ``HANGBOT_OUTBOX`` names it. PURE."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from hangbot.errors import ConfigError

__all__ = ["SCHEME", "ClusterAddress", "parse_address"]

SCHEME: Final = "nats://"

_SHAPE: Final = re.compile(
    r"nats://(?:(?P<login>.*)@)?(?P<servers>[^/@?#]+)(?:/(?P<fleet>[^/@?#]*))?/?", re.DOTALL
)
_SERVER: Final = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?")
_FLEET: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PORT: Final = 4222
_USUAL: Final = "hangbot"
_HIGHEST_PORT: Final = 65_535
_WRITTEN: Final = (
    "Write nats://HOST,HOST,HOST (a port as HOST:PORT, a login as USER:PASSWORD@ before the first, and in "
    "that / as %2F, @ as %40 and : as %3A; behind them /NAME, where several fleets share the servers)."
)


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """A cluster's servers and who asks them; its text shows no secret.

    Attributes:
        servers: ``HOST:PORT`` of each.
        fleet: The fleet's name: those that share the servers have one each.
        user: Who asks; empty: no user in particular.
        password: Its password, or, without a user, a token; empty: none.
    """

    servers: tuple[str, ...]
    fleet: str = _USUAL
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{SCHEME}{','.join(self.servers)}/{self.fleet}"


def parse_address(text: str) -> ClusterAddress:
    """Read ``nats://[USER:PASSWORD@]HOST[:PORT],HOST,…[/NAME]``.

    Raises:
        ConfigError: It is none; the message shows nothing of it that may be a secret.
    """
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        raise _wrong("it is no address of a NATS cluster")
    fleet = found["fleet"] or _USUAL
    if not _FLEET.fullmatch(fleet):
        raise _wrong("the name behind the servers may have letters, digits, _ and -, at most 64")
    servers = tuple(map(_server, found["servers"].split(",")))
    if len(set(servers)) < len(servers):
        raise _wrong("it names a server twice")
    user, colon, password = (found["login"] or "").partition(":")
    if not colon:
        user, password = "", user
    return ClusterAddress(servers, fleet, unquote(user), unquote(password))


def _server(text: str) -> str:
    found = _SERVER.fullmatch(text.strip())
    port = int(found["port"] or _PORT) if found else 0
    if found is None or not 0 < port <= _HIGHEST_PORT:
        raise _wrong("one of its servers is not HOST or HOST:PORT")
    return f"{found['host']}:{port}"


def _wrong(what: str) -> ConfigError:
    return ConfigError(f"HANGBOT_OUTBOX: {what}", remedy=_WRITTEN)
