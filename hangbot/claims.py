"""What a bot token says about itself, read without verifying it.

The shape is known from a sample printed in public documentation of the service, not from
a recording: a JWT with the claims ``id`` and ``sub`` (both the user's uuid), ``role``
(``"bot"``), ``capabilities``, ``type``, ``iat``, ``exp`` (about ten years ahead) and
``iss`` (``"turntable-user-service"``). Nothing here is proof of anything: the server
verifies, the bot only wants to know which user the token names and until when.
"""

import base64
import json
import math
from dataclasses import dataclass
from typing import Final

from hangbot.text import text_or_none

__all__ = ["Claims", "read_claims"]

PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims that the bot uses; each is ``None`` where the token lacks it.

    Attributes:
        uid: The user's uuid: ``sub``, else ``id``.
        role: ``"bot"`` for bots.
        expires_at: Seconds since the epoch.
        issued_at: Seconds since the epoch.
    """

    uid: str | None
    role: str | None
    expires_at: float | None
    issued_at: float | None


def read_claims(token: str) -> Claims | None:
    """Read a token's claims; ``None`` where the text is no JWT. Never raises."""
    parts = token.split(".")
    if len(parts) != PARTS:
        return None
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    if not isinstance(payload, dict):
        return None
    return Claims(
        uid=text_or_none(payload.get("sub")) or text_or_none(payload.get("id")),
        role=text_or_none(payload.get("role")),
        expires_at=_seconds(payload.get("exp")),
        issued_at=_seconds(payload.get("iat")),
    )


def _seconds(claim: object) -> float | None:
    if not isinstance(claim, int | float) or isinstance(claim, bool):
        return None
    try:
        seconds = float(claim)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) else None
