"""The JWT that `/me` hands out for the real-time connection.

PURE. On OpenChat it lives 24 hours, whatever becomes of the auth token meanwhile.
"""

import hashlib

from hangbot.sandbox.ids import Ids
from hangbot.sandbox.jwt import JwtSigner

__all__ = ["SocketTokens"]


class SocketTokens:
    """Sign and read the tokens of real-time connections.

    Args:
        ids: Where the signing key comes from.
    """

    def __init__(self, ids: Ids) -> None:
        self._signer = JwtSigner(ids)

    def sign(self, uid: str, now_s: float, lifetime_s: float, *, of: str = "") -> str:
        """Make a token for `uid`; `of` is the auth token that it was given for (kept as a digest)."""
        claims = {"sub": uid, "iat": int(now_s), "exp": int(now_s + lifetime_s), "of": self.digest(of)}
        return self._signer.sign(claims)

    def read(self, token: object, now_s: float) -> tuple[str, str] | None:
        """Return the uid and the auth token's digest, or ``None`` where the token opens nothing."""
        claims = self._signer.verify(token) if isinstance(token, str) else None
        return None if claims is None or now_s >= claims["exp"] else (claims["sub"], claims["of"])

    def digest(self, auth_token: str) -> str:
        """Return what a token remembers of the auth token that it was given for."""
        return hashlib.sha256(auth_token.encode(errors="replace")).hexdigest()[:16]
