"""Names under which other public bots keep what hangbot reads under its own.

One file serves several bots: a foreign name is passed over in silence where hangbot has the same
value under its own name, and its token is as secret as hangbot's.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["FOREIGN", "says_the_same", "secrets_of"]

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

_TOKENS: Final = frozenset({"CHAT_TOKEN", "TTL_USER_TOKEN"})
_SECRET_NAME: Final = re.compile(r"(?i)(?:token|secret|password|auth|key)(?:_?[0-9]+)?$")
_SHORTEST: Final = 16
"""Characters; a shorter value of a name that is not known may be an ordinary word."""
_VERSION: Final = re.compile(r"/v3(?:\.0)?/*$")


def says_the_same(name: str, text: str, ours: Callable[[str], str]) -> bool:
    """Whether a foreign name has the value that hangbot has under its own.

    Args:
        name: The foreign name.
        text: Its value.
        ours: Gives the text of hangbot's value by hangbot's name.
    """
    own = FOREIGN.get(name)
    return own is not None and _plain(text) == _plain(ours(own))


def secrets_of(values: Mapping[str, str], *, known_only: bool = False) -> tuple[str, ...]:
    """The values of names that hangbot does not read, and that must not be shown all the same.

    Args:
        values: Text by name, without hangbot's own names.
        known_only: Whether to pass over names that only sound like a secret's.
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
