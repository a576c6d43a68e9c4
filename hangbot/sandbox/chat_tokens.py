"""The chat tokens that the gateway's exchange gives; they are opaque.

PURE: no clock but the one that is passed in.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hangbot.sandbox.ids import Ids

__all__ = ["ChatTokenRules", "ChatTokens"]


@dataclass(frozen=True, slots=True)
class ChatTokenRules:
    """What becomes of chat tokens; all but the look is unknown for Hang.fm.

    Attributes:
        look: ``auth`` = ``auth_`` and 43 url-safe characters (measured on OpenChat); ``uid`` = the uid,
            an underscore, digits and hex (CometChat's, seen in public bots).
        lifetime_s: How long a token lives; ``None`` = for ever.
        exchange: What another exchange gives: the ``same`` token while it is alive, a ``fresh`` one
            beside the old ones, or one that ``replaces`` the last.
        most: How many live tokens a user has; the oldest dies (CometChat documents 100).
    """

    look: Literal["auth", "uid"] = "auth"
    lifetime_s: float | None = None
    exchange: Literal["same", "fresh", "replaces"] = "same"
    most: int = 100


class ChatTokens:
    """The chat tokens of all users.

    Args:
        now_s: The sandbox's clock, seconds since 1970.
        rules: What becomes of them.
        ids: Where they come from.
    """

    def __init__(self, now_s: Callable[[], float], rules: ChatTokenRules, ids: Ids) -> None:
        self._now_s = now_s
        self._rules = rules
        self._ids = ids
        self._owners: dict[str, tuple[str, float]] = {}
        self._tokens_of: dict[str, list[str]] = {}

    def issue(self, uid: str) -> str:
        """Make a token for a user."""
        token = "auth_" + self._ids.urlsafe(32)
        if self._rules.look == "uid":
            token = f"{uid}_{int(self._now_s())}{self._ids.hex(20)}"
        self.keep(uid, token)
        return token

    def keep(self, uid: str, token: str) -> None:
        """Take over a token of a user, whatever made it; of too many the oldest dies."""
        lifetime_s = self._rules.lifetime_s
        self._owners[token] = (uid, math.inf if lifetime_s is None else self._now_s() + lifetime_s)
        tokens = self._tokens_of.setdefault(uid, [])
        tokens.append(token)
        if len(tokens) > self._rules.most:
            del self._owners[tokens.pop(0)]

    def owner(self, token: str) -> str | None:
        """Return the uid whose token this is, as long as it lives."""
        uid, expires_s = self._owners.get(token, (None, 0.0))
        return uid if self._now_s() < expires_s else None
