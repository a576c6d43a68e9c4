"""Which of the two chat servers speaks, recognised by what it says. PURE.

Both speak one protocol, and `hangbot.hangfm.wire.chat` reads either. They differ in what stands beside:
OpenChat's ``/me`` carries what its login needs (``authToken, fat, jwt, settings``) and names the channel
as text, CometChat's has none of that, or names the channel as an object; an error of OpenChat has a
``name``, one of CometChat a ``devMessage`` and a ``source`` (measured on OpenChat, documented by CometChat).
"""

from collections.abc import Mapping
from typing import Final, Literal

__all__ = ["NAMES", "Server", "of_error", "of_me"]

Server = Literal["openchat", "cometchat"]

NAMES: Final[Mapping[Server, str]] = {"openchat": "OpenChat", "cometchat": "CometChat"}

_OF_OPENCHAT: Final = frozenset({"authToken", "fat", "jwt", "settings"})
_WHOLE: Final = frozenset({"uid", "name", "status", "role"})
"""What either has: a row with less is too little to conclude anything from what is not in it."""
_CODES: Final[Mapping[str, Server]] = {"ERR_NO_AUTH": "openchat", "MISSING_PARAMETERS": "openchat"}
_COMETCHATS: Final = "AUTH_ERR_"


def of_me(me: Mapping[str, object]) -> Server | None:
    """Return whose ``GET /me`` a user's own row is (its ``data``); ``None`` where it could be either's."""
    channel = me.get("wsChannel")
    if isinstance(channel, str) or "fat" in me:
        return "openchat"
    if isinstance(channel, Mapping) or (me.keys() >= _WHOLE and _OF_OPENCHAT.isdisjoint(me)):
        return "cometchat"
    return None


def of_error(error: Mapping[str, object]) -> Server | None:
    """Return whose error this is (the ``error`` of an answer); ``None`` where it could be either's."""
    code = error.get("code")
    if not isinstance(code, str):
        return None
    if code in _CODES:
        return _CODES[code]
    if code.startswith(_COMETCHATS):
        return "cometchat"
    if error.get("name") == code:
        return "openchat"
    return "cometchat" if "devMessage" in error or "source" in error else None
