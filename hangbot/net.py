"""This machine and the world: a proxy is for the world, and so is a certificate."""

import ssl
from ipaddress import ip_address
from urllib.parse import urlsplit

from hangbot.errors import ConfigError

__all__ = ["is_loopback", "unusable_environment", "unverified"]


def is_loopback(url: str) -> bool:
    """Tell whether an address is this machine, without asking a name server."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def unverified() -> ssl.SSLContext:
    """Make a context for TLS within this machine: whatever certificate a sandbox was given will do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def unusable_environment(error: Exception) -> ConfigError:
    """Say that the environment's proxy or certificates are at fault; its text may hold a password."""
    return ConfigError(
        f"a proxy or certificate file of the environment cannot be used ({type(error).__name__})",
        remedy="Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
    )
