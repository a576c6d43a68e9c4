"""The host names of Hang.fm, and which service each stands for.

PURE. These are today's three, as public bots have them in their code; the direct hosts that bots called in
2023 and 2024; and the hosts of CometChat's service, which was the chat until June 2026 (the regional forms
are those of the SDK 4.2.0).
"""

import re
from typing import Final

from hangbot.sandbox.gateway.call import is_for_gateway
from hangbot.sandbox.services import ServiceName

__all__ = ["CERTIFIED", "direct_service", "host_names", "service_of"]

_REGIONS: Final = ("us", "eu", "in")
_COMETCHAT_ROLES: Final = ("apiclient", "api", "websocket")
_COMETCHAT: Final = re.compile(
    rf"(?:[^.]+\.(?:{'|'.join(_COMETCHAT_ROLES)})|metrics)-(?:{'|'.join(_REGIONS)})\.cometchat\.io"
)
_DIRECT: Final = {
    "api.prod.tt.fm": "user-service",
    "rooms.prod.tt.fm": "room-service",
    "playlists.prod.tt.fm": "playlist-service",
}
_NAMED: Final[dict[str, ServiceName]] = {
    "socket.prod.tt.fm": "room",
    "openchat.prod.tt.fm": "chat",
    "gateway.prod.tt.fm": "gateway",
    **dict.fromkeys(_DIRECT, "gateway"),
}

CERTIFIED: Final = (
    *_NAMED,
    *(f"*.{role}-{region}.cometchat.io" for role in _COMETCHAT_ROLES for region in _REGIONS),
    *(f"metrics-{region}.cometchat.io" for region in _REGIONS),
    "localhost",
    "127.0.0.1",
    "::1",
)
"""The names that a certificate needs, so that every bot accepts it."""


def host_names(app_id: str) -> tuple[str, ...]:
    """Return the names to put into a hosts file, which knows no wildcards, for a chat with this app id."""
    return (*_NAMED, f"{app_id}.apiclient-us.cometchat.io", f"{app_id}.websocket-us.cometchat.io")


def service_of(host: str, path: str) -> ServiceName:
    """Return the service behind a host; for other names, such as 127.0.0.1, the path decides."""
    host = host.rstrip(".")
    named = _NAMED.get(host)
    if named is not None:
        return named
    if _COMETCHAT.fullmatch(host):
        return "chat"
    if path.startswith("/primus"):
        return "room"
    return "gateway" if is_for_gateway(path) else "chat"


def direct_service(host: str) -> str | None:
    """Return the gateway's service behind a direct host, whose paths lack their beginning (`/rooms/…`)."""
    return _DIRECT.get(host.rstrip("."))
