"""Warnings about values that are allowed, but most likely not meant. PURE."""

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from hangbot.config.table import ENV, SettingsTable
from hangbot.text import is_uuid

__all__ = ["UNBUILT", "lint"]

UNBUILT: Final[Mapping[str, str]] = {}
"""Fields that nothing reads yet, and the warning for setting one; a test finds those missing here."""


def lint(settings: SettingsTable, origins: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each value that is allowed, but most likely not meant.

    Args:
        settings: The settings.
        origins: Where each value came from, by the field's name.
    """
    for field, why in UNBUILT.items():
        if field in settings.model_fields_set:
            yield f"{ENV[field].name} ({origins[field]}): {why}"
    if not is_uuid(settings.room_uuid):
        origin = origins["room_uuid"]
        yield (
            f"ROOM_UUID ({origin}): this does not look like a uuid; if it is the room's name in its "
            "address, `hangbot init --room NAME` finds the uuid"
        )
    for field in ("chat_url", "gateway_url", "room_url"):
        parts = urlsplit(getattr(settings, field))
        host = parts.hostname or ""
        if parts.scheme in {"http", "ws"} and not (host in {"localhost", "::1"} or host.startswith("127.")):
            yield f"{ENV[field].name} ({origins[field]}): tokens travel unencrypted over {parts.scheme}://"
