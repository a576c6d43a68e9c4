"""The JWT that `/me` hands out for the real-time connection.

PURE. On OpenChat it lives 24 hours, whatever becomes of the auth token meanwhile.
"""

import base64
import hashlib
import hmac
import json
import secrets

__all__ = ["ChatJwt"]


class ChatJwt:
    """Signs and reads socket tokens with a key of its own."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._head = _encode(b'{"alg":"HS256","typ":"JWT"}')

    def sign(self, uid: str, now_s: float, lifetime_s: float, *, of: str = "") -> str:
        """Make a token for `uid`; `of` is the auth token that it was given for (kept as a digest)."""
        claims = {"sub": uid, "iat": int(now_s), "exp": int(now_s + lifetime_s), "of": _digest(of)}
        body = _encode(json.dumps(claims).encode())
        return f"{self._head}.{body}.{self._seal(body)}"

    def read(self, token: object, now_s: float) -> tuple[str, str] | None:
        """Give the uid and the auth token's digest; None where the token opens nothing."""
        if not isinstance(token, str):
            return None
        head, _, rest = token.partition(".")
        body, _, seal = rest.partition(".")
        if head != self._head or not hmac.compare_digest(
            seal.encode(errors="replace"), self._seal(body).encode()
        ):
            return None
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return (claims["sub"], claims["of"]) if now_s < claims["exp"] else None

    def digest(self, auth_token: str) -> str:
        """What a JWT remembers of the auth token it was given for."""
        return _digest(auth_token)

    def _seal(self, body: str) -> str:
        return _encode(
            hmac.digest(self._key, f"{self._head}.{body}".encode(errors="replace"), hashlib.sha256)
        )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()[:16]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
