"""What a NATS server, or the way to it, says is wrong, for an operator. PURE."""

import os
import re
import ssl
from typing import Final

from hangbot.errors import OutboxUnusable
from hangbot.fleet.refusals import ClusterRefused
from hangbot.fleet.streams import ClusterAway

__all__ = ["cause_of", "denied_of"]

_LOGIN: Final = re.compile(r"authorization|authentication|auth", re.IGNORECASE)
_DENIED: Final = re.compile(r"permissions violation", re.IGNORECASE)
_STRANGE: Final = re.compile(r"INFO message|protocol error", re.IGNORECASE)
_OWN: Final = re.compile(r"^nats: |^'|'$")


def cause_of(server: str, error: Exception) -> OutboxUnusable:
    """Return why a server cannot be used, or does not answer."""
    if isinstance(error, TimeoutError):
        return ClusterAway(f"{server}: no answer")
    if isinstance(error, ssl.SSLCertVerificationError):
        return ClusterRefused(
            f"the certificate of NATS server {server} is not trusted ({error.verify_message})",
            remedy="Have this machine trust who signed it, or name that by SSL_CERT_FILE; and name the "
            "server in HANGBOT_OUTBOX as its certificate does.",
        )
    if isinstance(error, ssl.SSLError):
        return ClusterAway(f"{server}: TLS fails ({error})")
    if isinstance(error, OSError):
        cause = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        return ClusterAway(f"{server}: {cause.lower()}")  # asyncio's own words name the address once more
    words = _OWN.sub("", _OWN.sub("", str(error))) or type(error).__name__
    if not type(error).__module__.startswith("nats.") or _STRANGE.search(words):
        return ClusterAway(f"{server}: what answers there does not speak as a NATS server does")
    if _LOGIN.search(words):
        return ClusterRefused(f"NATS server {server} does not accept the login ({words.lower()})")
    return ClusterAway(f"{server}: {words}")


def denied_of(server: str, error: Exception) -> ClusterRefused | None:
    """Return what is said where something may not be done; ``None``: that is not what is wrong."""
    words = _OWN.sub("", str(error))
    return ClusterRefused(f"NATS server {server}: {words}") if _DENIED.search(words) else None
