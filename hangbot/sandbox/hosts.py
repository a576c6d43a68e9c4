"""The host names of Hang.fm, and which service each stands for.

PURE. The three of today as public bots have them in their code; the direct hosts that bots called in
2023 and 2024; the hosts of CometChat's service, which the chat was until June 2026 (the regional forms
are those of the SDK 4.2.0).
"""

import re
from typing import Final

from hangbot.sandbox.gateway.call import is_for_gateway
from hangbot.sandbox.services import ServiceName

__all__ = ["CERTIFIED", "direct_service", "hosts", "service_of"]

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
"""What a certificate must name, so that every bot finds whom it calls."""


def hosts(app_id: str) -> tuple[str, ...]:
    """The names that a hosts file has to lead here, for a chat with that app id; it knows no wildcards."""
    return (*_NAMED, f"{app_id}.apiclient-us.cometchat.io", f"{app_id}.websocket-us.cometchat.io")


def service_of(host: str, path: str) -> ServiceName:
    """The service behind a host; behind a name that is none of these, such as 127.0.0.1, the path tells."""
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
    """The gateway's service whose paths a direct host has without their beginning (`/rooms/…`)."""
    return _DIRECT.get(host.rstrip("."))
