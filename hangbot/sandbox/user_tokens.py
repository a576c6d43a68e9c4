"""The tokens that open room socket and gateway: real JWTs (HS256, a key per sandbox).

PURE: no clock but the one that is passed in. The claims are those of a sample that is printed in
public documentation: ``id``, ``sub``, ``role``, ``capabilities``, ``type``, ``iat``, ``exp``,
``iss``; a token lives ten years by default.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Final

from hangbot.redact import Redactor
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.jwt import JwtSigner, read_claims

__all__ = ["TEN_YEARS_S", "BadToken", "UserTokens", "mask_new_tokens", "user_and_expiry"]

ISSUER: Final = "turntable-user-service"
TEN_YEARS_S: Final = 10 * 365 * 24 * 3600.0
_KNOWN_TOKENS: Final = 8


class BadToken(Exception):
    """A token that opens nothing; ``reason`` says why, and never holds the token.

    Attributes:
        reason: ``missing``, ``malformed``, ``signature``, ``expired``, ``revoked`` or ``unknown``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UserTokens:
    """The JWTs of all users.

    Args:
        now_s: The sandbox's clock, seconds since 1970.
        ids: Where the signing key comes from.
    """

    def __init__(self, now_s: Callable[[], float], ids: Ids) -> None:
        self._now_s = now_s
        self._ids = ids
        self._signer = JwtSigner(ids)
        self._known: dict[str, tuple[str, float]] = {}
        """Token → uid and expiry."""

    def issue(self, uid: str, role: str, lifetime_s: float, extra: Mapping[str, Any] | None = None) -> str:
        """Make a token for a user; a negative life makes an expired one."""
        now_s = int(self._now_s())
        claims: dict[str, Any] = {
            "id": uid,
            "sub": uid,
            "role": role,
            "capabilities": [],
            "type": "user",
            "iat": now_s,
            "exp": int(now_s + lifetime_s),
            "iss": ISSUER,
        } | dict(extra or {})
        # A key id, because tokens of one second must differ: revoking one would revoke the other.
        token = self._signer.sign(claims, kid=self._ids.urlsafe(6))
        self._known[token] = (str(claims["sub"]), float(claims["exp"]))
        return token

    def keep(self, token: str) -> None:
        """Take over a token that any key may have signed.

        Raises:
            BadToken: It is malformed.
        """
        self._known[token] = user_and_expiry(token)

    def owner(self, token: str) -> tuple[str, bool]:
        """Return the uid of a token, and whether the token has expired.

        Raises:
            BadToken: It is malformed or signed elsewhere.
        """
        if token not in self._known:
            known = user_and_expiry(token)
            if self._signer.verify(token) is None:
                raise BadToken("signature")
            self._known[token] = known
        uid, expires_s = self._known[token]
        return uid, self._now_s() >= expires_s


def user_and_expiry(token: str) -> tuple[str, float]:
    """``sub`` and ``exp`` of a JWT, whatever key signed it.

    Raises:
        BadToken: It is malformed.
    """
    try:
        claims = read_claims(token)
        uid, expires_s = claims["sub"], float(claims["exp"])
    except (ValueError, KeyError, TypeError, OverflowError):
        raise BadToken("malformed") from None  # the cause would show the token
    if not isinstance(uid, str) or not uid:
        raise BadToken("malformed")
    return uid, expires_s


def mask_new_tokens(redactor: Redactor) -> Callable[[str], None]:
    """Mask the first tokens (the bot's) in any disguise; most others have a shape that is masked anyway."""
    issued = itertools.count(1)

    def mask(token: str) -> None:  # thousands of known secrets would make reading the journal crawl
        if next(issued) <= _KNOWN_TOKENS or not token.startswith(("eyJ", "auth_")):
            redactor.add(token)

    return mask
