"""JSON Web Tokens (HS256): what signs them, and what reads them.

PURE: the key is drawn from the sandbox's ids.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from hangbot.sandbox.ids import Ids

__all__ = ["JwtSigner", "read_claims"]


class JwtSigner:
    """Sign and verify tokens with a key of its own.

    Args:
        ids: Where the key comes from.
    """

    def __init__(self, ids: Ids) -> None:
        self._key = ids.raw(32)

    def sign(self, claims: Mapping[str, Any], *, kid: str | None = None) -> str:
        """Make a token; a key id makes tokens with the same claims differ."""
        head = {"alg": "HS256", "typ": "JWT"} | ({} if kid is None else {"kid": kid})
        signed = f"{_encode(_json(head))}.{_encode(_json(claims))}"
        return f"{signed}.{self._signature(signed)}"

    def verify(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a token that was signed here, otherwise ``None``. Expiry is not looked at."""
        signed, _, signature = token.rpartition(".")
        given = signature.encode(errors="replace")
        if not hmac.compare_digest(given, self._signature(signed).encode()):
            return None
        return read_claims(token)

    def _signature(self, signed: str) -> str:
        return _encode(hmac.digest(self._key, signed.encode(errors="replace"), hashlib.sha256))


def read_claims(token: str) -> dict[str, Any]:
    """Return a token's claims, whatever key signed it.

    Raises:
        ValueError: It is no JWT; the message never holds the token.
    """
    try:
        _, body, signature = token.split(".")
        claims = json.loads(_decode(body))
        _decode(signature)
    except (ValueError, RecursionError):  # a wrong base64 is a ValueError, too
        raise ValueError("no JWT") from None  # the cause would show the token
    if not isinstance(claims, dict):
        raise ValueError("no JWT")  # noqa: TRY004  what is wrong is the text, not its type
    return claims


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
