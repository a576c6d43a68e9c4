"""What a room is called: its key in a fleet's cluster, and the name that its file gives it."""

import os
from pathlib import Path
from typing import Final
from unicodedata import normalize

from hangbot.config import Settings
from hangbot.text import whole

__all__ = ["ENDING", "room_key", "room_name", "shown_name", "written_name"]

ENDING: Final = ".env"
_NO_UID: Final = "bot"


def room_key(settings: Settings) -> str:
    """Return the key of a bot in its room: the same on every machine, whatever the file is called there."""
    return f"{settings.room_uuid}-{settings.chat_uid or _NO_UID}"


def room_name(path: Path) -> str | None:
    """Return the name that a file gives its room, the same on every machine; ``None``: it is no UTF-8 text.

    One file system keeps an ``ä`` as one character, another as two.
    """
    try:
        return normalize("NFC", os.fsencode(path.stem).decode())
    except UnicodeDecodeError:
        return None


def shown_name(path: Path) -> str:
    """Return the same where it is only shown: bytes that are no text are escaped."""
    return room_name(path) or os.fsencode(path.stem).decode(errors="backslashreplace")


def written_name(text: str) -> str:
    """Return which room is meant where an operator writes the name of it, or that of its file."""
    return normalize("NFC", Path(whole(text)).name.removesuffix(ENDING))
