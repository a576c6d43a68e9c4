"""An authority that is made for one sandbox, and its certificate for Hang.fm's host names.

Both keys exist in memory only and end with the process.
"""

import ssl
from dataclasses import dataclass, field
from typing import Final

from hangbot.sandbox.hosts import CERTIFIED

__all__ = ["TRUST", "Certified", "certify"]

TRUST: Final = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""The variables that name programs a file with an authority to trust."""


@dataclass(frozen=True, slots=True)
class Certified:
    """A server context, and the authority that certified it.

    Attributes:
        context: For `open_sandbox`.
        authority: The authority's own certificate, PEM, for bots to trust: no secret.
    """

    context: ssl.SSLContext
    authority: str = field(repr=False)


def certify() -> Certified:
    """Make an authority, and a certificate of it that every bot accepts which trusts that authority.

    Raises:
        ModuleNotFoundError: trustme is not installed, which is in the extra ``tls``.
    """
    import trustme  # noqa: PLC0415  an extra

    issuer = trustme.CA(organization_name="hangbot sandbox")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issuer.issue_cert(*CERTIFIED, organization_name="hangbot sandbox").configure_cert(context)
    return Certified(context, issuer.cert_pem.bytes().decode("ascii"))
