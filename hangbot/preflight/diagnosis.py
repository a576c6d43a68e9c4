"""Turn errors and answers into the cause, in words: why a service cannot be reached, or is not one. PURE.

Each cause has a line of its own, so that the operator need not guess among several.
"""

import json
import re
import socket
import ssl
from typing import Final, NamedTuple

from hangbot.errors import HangbotError
from hangbot.hangfm.http import HttpResponse

__all__ = [
    "IN_ITS_PLACE",
    "SETTING",
    "SET_THE_CLOCK",
    "Cause",
    "Unexplained",
    "looks_like_chat_token",
    "looks_like_cometchat_token",
    "of_connect",
    "of_lookup",
    "of_proxy",
    "of_tls",
    "what_answered",
]

SETTING: Final = {
    "gateway": "TTFM_GATEWAY_BASE_URL",
    "chat": "OPENCHAT_BASE_URL",
    "room": "SOCKET_SERVER_URL",
}
"""The name under which each service's address is configured."""

SET_THE_CLOCK: Final = "Set the clock (`timedatectl set-ntp true`): tokens and song ends are judged by it."

IN_ITS_PLACE: Final = "if it is right, a proxy, a firewall or a login page answers in its place."
"""The other possible cause of an answer that is not the service's; follows the first."""

_ADDRESSES: Final = frozenset(SETTING.values())
_COMETCHAT_TOKEN: Final = re.compile(r"[0-9A-Za-z-]{1,100}_[0-9a-f]{16,}")
"""``<uid>_<digits and hex>``, as seen in public bots."""
_CHAT_TOKEN: Final = re.compile(r"auth_[0-9A-Za-z_-]{20,}")
"""``auth_`` and 43 characters, as measured on OpenChat."""


class Cause(NamedTuple):
    """What is wrong, and what to do about it."""

    message: str
    remedy: str


class Unexplained(HangbotError):
    """A refusal whose cause neither its code nor anything else shows; a person may understand its words."""

    remedy = "Ask the room's moderators: the server's own words stand in the line."


def of_lookup(error: socket.gaierror, host: str, setting: str) -> Cause:
    """Distinguish a name that does not exist from a name server that does not answer."""
    if error.errno == socket.EAI_AGAIN:
        return Cause(
            f"no name server answers the question for {host} (DNS)",
            "Check this machine's network, and its name servers in /etc/resolv.conf.",
        )
    return Cause(
        f"{host} does not exist (DNS: {error.strerror or 'no address'})",
        f"Check {setting} for a typing error; `getent hosts {host}` asks the same.",
    )


def of_connect(error: OSError, where: str, setting: str, timeout: float) -> Cause:
    """Distinguish a closed port, a machine that does not answer, and a missing route."""
    if isinstance(error, ConnectionRefusedError):
        who = "service" if setting in _ADDRESSES else "proxy"
        return Cause(
            f"{where} refuses connections (TCP): nothing listens there",
            f"Check the port in {setting}; the {who} may be down.",
        )
    if isinstance(error, TimeoutError):
        return Cause(
            f"{where} does not answer (TCP) in {timeout:g} s",
            "A firewall may drop what goes out: let this machine connect there, "
            f"or name a proxy in HTTPS_PROXY; else check {setting}.",
        )
    return Cause(
        f"there is no way to {where} (TCP: {error.strerror or type(error).__name__})",
        "Check this machine's network, and whether a firewall keeps it in.",
    )


def of_tls(error: Exception, where: str, setting: str, timeout: float) -> Cause:
    """Say what is wrong with a certificate, or that there is no TLS at all."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error, where, setting)
    if isinstance(error, TimeoutError):
        return Cause(
            f"{where} takes connections, but does not answer the TLS handshake in {timeout:g} s",
            f"Check {setting}: what listens there may speak no TLS, or a firewall swallows it.",
        )
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return Cause(
            f"{where} speaks no TLS",
            f"Check {setting}: https:// (or wss://) where http:// (or ws://) is meant, or a wrong port.",
        )
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or type(error).__name__).replace("_", " ").lower()
        return Cause(
            f"{where} refuses the TLS handshake ({reason})",
            "The two share no version or cipher: update Python and OpenSSL on this machine.",
        )
    return Cause(
        f"{where} hangs up during the TLS handshake",
        f"A firewall may cut TLS, or what listens there speaks none: check {setting}.",
    )


_NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
)
_EXPIRED: Final = 10
_NOT_YET: Final = 9
_SELF_SIGNED: Final = frozenset({18, 19})
_UNKNOWN_ISSUER: Final = frozenset({2, 20, 21})
_WRONG_NAME: Final = frozenset({62, 64})
"""OpenSSL's X509_V_ERR_… numbers."""


def _of_certificate(error: ssl.SSLCertVerificationError, where: str, setting: str) -> Cause:
    code = error.verify_code
    if code == _EXPIRED:
        return Cause(
            f"the certificate of {where} has expired (TLS)",
            "Check this machine's date (`date`); if it is right, tell whoever runs the service.",
        )
    if code == _NOT_YET:
        return Cause(
            f"the certificate of {where} is not valid yet (TLS)",
            "Set this machine's clock (`timedatectl set-ntp true`): it is most likely behind.",
        )
    if code in _WRONG_NAME:
        return Cause(
            f"the certificate of {where} is for another name (TLS)",
            f"Check {setting}: another machine, or a proxy, answers in its place.",
        )
    if code in _SELF_SIGNED or code in _UNKNOWN_ISSUER:
        kind = "is self-signed" if code in _SELF_SIGNED else "has an issuer that this machine does not know"
        return Cause(
            f"the certificate of {where} {kind} (TLS)",
            "A proxy may open TLS on the way: put its certificate into SSL_CERT_FILE if it is trusted; "
            f"else check {setting}.",
        )
    return Cause(
        f"the certificate of {where} is refused (TLS: {error.verify_message})",
        f"Check {setting}, SSL_CERT_FILE and this machine's date.",
    )


def of_proxy(status: int | None, where: str, proxy: str, variable: str) -> Cause:
    """Explain a proxy's status for a connection; ``None`` where its answer cannot be read."""
    if status is None:
        return Cause(
            f"{proxy} ({variable}) is in the way to {where} and is no proxy that can be understood",
            f"Correct {variable}, or unset it.",
        )
    if status == 407:  # noqa: PLR2004  Proxy Authentication Required
        return Cause(
            f"the proxy {proxy} ({variable}) wants a user and a password (status 407)",
            f"Put the two before the host in {variable}.",
        )
    return Cause(
        f"the proxy {proxy} ({variable}) does not connect to {where} (status {status})",
        f"Ask whoever runs the proxy to let {where} through, or name it in NO_PROXY.",
    )


def what_answered(answer: HttpResponse) -> str:
    """Say what kind of thing gave an unexpected answer."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    start = answer.body[:512].lstrip().lower()
    if kind == "text/html" or start.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return "text" if start else "nothing"
    if isinstance(document, dict) and "statusCode" in document:
        return "the words of another service (a gateway speaks like that)"
    return "JSON of another kind"


def looks_like_cometchat_token(token: str) -> bool:
    """Whether a token looks like those that CometChat gave out until June 2026."""
    return _COMETCHAT_TOKEN.fullmatch(token) is not None and not looks_like_chat_token(token)


def looks_like_chat_token(token: str) -> bool:
    """Whether a token looks like those that OpenChat gives out."""
    return _CHAT_TOKEN.fullmatch(token) is not None
