"""The settings object of `GET settings` and `/me`, with the fields that the SDK reads.

PURE. Values as OpenChat gives them, hosts and port from the request.
"""

from hangbot.sandbox.chat.dialects import Dialect
from hangbot.sandbox.chat.rows import Row

__all__ = ["chat_settings"]


def chat_settings(host: str, now: int, dialect: Dialect) -> Row:
    """Make the settings for a client that reached the server as `host` (`name:port`).

    `CLIENT_API_HOST` and `ADMIN_API_HOST` may carry a port, the others may not (seen in the
    SDK 4.2.0).
    """
    name, _, port = host.rpartition(":") if ":" in host else (host, "", "443")
    settings: Row = {
        "ADMIN_API_HOST": host,
        "ANALYTICS_HOST": host,
        "ANALYTICS_PING_DISABLED": True,
        "ANALYTICS_USE_SSL": True,
        "ANALYTICS_VERSION": "v1",
        "APP_VERSION": 4,
        "CHAT_API_VERSION": "v3.0",
        "CHAT_HOST": name,
        "CHAT_HOST_APP_SPECIFIC": None,
        "CHAT_HOST_OVERRIDE": None,
        "CHAT_USE_SSL": True,
        "CHAT_WSS_PORT": port,
        "CHAT_WS_PORT": port,
        "CLIENT_API_HOST": host,
        "DENY_FALLBACK_TO_POLLING": False,
        "EXTENSION_DOMAIN": name,
        "MAIN_DOMAIN": name,
        "MODE": "DEFAULT",
        "POLLING_ENABLED": False,
        "REGION": "us",
        "SECURED_MEDIA_HOST": None,
        "WS_API_VERSION": "v3.0",
        "extensions": [{"id": "reactions", "name": "reactions"}],
        "settingsHash": f"sandbox-{dialect.name}",
        "settingsHashReceivedAt": now,
    }
    return settings
