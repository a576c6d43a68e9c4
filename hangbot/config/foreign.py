"""Names under which other public bots keep what hangbot reads under its own.

One file may serve several bots: a foreign name needs no warning where hangbot has the same value
under its own name, and its token is as secret as hangbot's. A person's token is not a bot's.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from hangbot.claims import read_claims

__all__ = ["FOREIGN", "is_offered", "known_as", "says_the_same", "secrets_of"]

FOREIGN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "HANGOUT_ID": "ROOM_UUID",
        "BOT_UID": "COMETCHAT_UID",
        "CHAT_USER_ID": "COMETCHAT_UID",
        "CHAT_TOKEN": "COMETCHAT_AUTH",
        "TTL_USER_TOKEN": "BOT_USER_TOKEN",
        "COMET_BASE_URL": "OPENCHAT_BASE_URL",
    }
)
"""The foreign name, and hangbot's for the same thing (as read by public bots)."""

_PERSONAL: Final = frozenset({"GAB_USER_TOKEN"})
"""Names that hold a person's token beside the bot's (as read by public bots)."""
_BOT_TOKEN: Final = "BOT_USER_TOKEN"  # noqa: S105  a name
_TOKENS: Final = frozenset({"CHAT_TOKEN", "TTL_USER_TOKEN"}) | _PERSONAL
_SECRET_NAME: Final = re.compile(r"(?i)(?:token|secret|password|auth|key)(?:_?[0-9]+)?$")
_SHORTEST: Final = 16
"""Characters; a shorter value of an unknown name may be an ordinary word."""
_VERSION: Final = re.compile(r"/v3(?:\.0)?/*$")


def says_the_same(name: str, text: str, ours: Callable[[str], str]) -> bool:
    """Whether a foreign name has the value that hangbot has under its own.

    Args:
        name: The foreign name.
        text: Its value.
        ours: Returns the text of hangbot's value by hangbot's name.
    """
    own = FOREIGN.get(name)
    return own is not None and _plain(text) == _plain(ours(own))


def known_as(name: str) -> str:
    """Say what a foreign name is to hangbot; empty for one that no public bot uses."""
    if name in _PERSONAL:
        return "is a person's token, not the bot's"
    own = FOREIGN.get(name)
    return f"is {own} here" if own else ""


def is_offered(name: str, text: str, own: str) -> bool:
    """Whether another name may be suggested for hangbot's own: a person's token is never the bot's.

    Args:
        name: The other name.
        text: Its value; empty where it is not known.
        own: Hangbot's name.
    """
    if own != _BOT_TOKEN:
        return True
    claims = read_claims(text.strip())
    return name not in _PERSONAL and (claims is None or claims.role in {None, "bot"})


def secrets_of(values: Mapping[str, str], *, known_only: bool = False) -> tuple[str, ...]:
    """Return the values of names that hangbot does not read, but that must not be shown either.

    Args:
        values: Text by name, without hangbot's own names.
        known_only: Whether to leave out names that only sound like a secret's.
    """
    found = []
    for name, value in values.items():
        text = value.strip()
        sounds_like_one = _SECRET_NAME.search(name) is not None and len(text) >= _SHORTEST
        if text and (name in _TOKENS or (sounds_like_one and not known_only)):
            found.append(text)
    return tuple(found)


def _plain(text: str) -> str:
    text = text.strip()
    return _VERSION.sub("", text).rstrip("/") if "://" in text else text
