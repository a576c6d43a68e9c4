"""Under which key a bot's room stands in a fleet's cluster. PURE."""

from typing import Final

from hangbot.config import Settings

__all__ = ["room_key"]

_NO_UID: Final = "bot"


def room_key(settings: Settings) -> str:
    """Return the key of a bot in its room: the same on every machine, whatever the file is called there."""
    return f"{settings.room_uuid}-{settings.chat_uid or _NO_UID}"
