"""Who may read the page's data, and who may change anything: by the headers of a request alone. PURE.

A browser sends requests for pages of others, too. Such a page knows neither the token nor, with a name that
it lets point here, a host that is ours; and a browser says where a request comes from.
"""

import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

__all__ = ["Access", "Refusal", "is_loopback"]

_LOCAL: Final = "localhost"
_PORT: Final = re.compile(r":\d{1,5}\Z")
_SCHEME: Final = re.compile(r"https?://")
_OWN: Final = frozenset({"same-origin", "none"})
_FORWARDED: Final = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host")
_BEARER: Final = "bearer "


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered.

    Attributes:
        status: That of the answer.
        error: What is wrong with it.
        remedy: What to do, in a whole sentence.
    """

    status: HTTPStatus
    error: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Access:
    """The rules for one port.

    Attributes:
        host: The address or the name that it is opened on.
        token: What changes need; ``None``: there is none, and nothing is changed from here.
        why_no_token: In that case why, in words.
        place: Where it stands, in words.
    """

    host: str
    token: str | None = field(repr=False)
    why_no_token: str = ""
    place: str = "the file beside the outbox that ends in .token"

    def refuse_host(self, headers: Mapping[str, str]) -> Refusal | None:
        """Refuse a request to a name that is not ours: it may be another page's, made to point here."""
        host = headers.get("Host")
        if host is None:
            return None  # no browser asks so
        name = _PORT.sub("", host).strip("[]").rstrip(".").lower()
        if name in {_LOCAL, self.host.lower()} or _is_address(name):
            return None
        return Refusal(
            HTTPStatus.FORBIDDEN,
            "this port is not asked under that name",
            "Ask it by its address, or set HANGBOT_STATUS_HOST to the name.",
        )

    def refuse_reading(self, headers: Mapping[str, str]) -> Refusal | None:
        """Refuse to give data away: to another site's page, and beyond this machine without the token.

        What a proxy forwards may come from anywhere.
        """
        if refusal := _refuse_other_sites(headers):
            return refusal
        forwarded = any(name in headers for name in _FORWARDED)
        return self._refuse_token(headers) if forwarded or not is_loopback(self.host) else None

    def refuse_change(self, headers: Mapping[str, str]) -> Refusal | None:
        """Refuse to change anything: for another site's page, and without the token."""
        return _refuse_other_sites(headers) or self._refuse_token(headers)

    def _refuse_token(self, headers: Mapping[str, str]) -> Refusal | None:
        if self.token is None:
            error = f"this needs the token, and there is none: {self.why_no_token}"
            return Refusal(HTTPStatus.FORBIDDEN, error, "Start it again once that is mended.")
        said = headers.get("Authorization", "")
        given = said[len(_BEARER) :].strip() if said.lower().startswith(_BEARER) else ""
        if hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode()):
            return None
        error = "that is not the token" if given else "this needs the token"
        return Refusal(HTTPStatus.UNAUTHORIZED, error, f"It stands in {self.place}.")


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches what is opened there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == _LOCAL


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _refuse_other_sites(headers: Mapping[str, str]) -> Refusal | None:
    """Believe the browser; one that does not say where a page is from names at least its origin."""
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is None and origin is not None:
        same = _SCHEME.sub("", origin.lower(), count=1) == headers.get("Host", "").lower()
        site = "same-origin" if same else "cross-site"
    if site is None or site in _OWN:
        return None
    return Refusal(HTTPStatus.FORBIDDEN, "another site's page asks for this", "Open the page itself.")
