"""This machine and the world: a proxy is for the world, and so is a certificate."""

import functools
import os
import ssl
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from hangbot.proxies import check_certificates, check_proxies

__all__ = ["Proxied", "check_environment", "has_proxy", "is_loopback", "unverified", "verified"]


def is_loopback(url: str) -> bool:
    """Tell whether an address is this machine, without asking a name server."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def has_proxy() -> bool:
    """Tell whether the environment names a proxy that httpx would take."""
    return not {"http", "https", "all"}.isdisjoint(getproxies())


class Proxied(httpx.AsyncBaseTransport):
    """Carries requests over the environment's proxy, as httpx reads it.

    Args:
        context: How TLS is spoken.
        past: Addresses that are reached without it.

    Raises:
        ImportError, OSError, ValueError, httpx.InvalidURL: The proxy cannot be used.
    """

    def __init__(self, context: ssl.SSLContext, *, past: Iterable[str]) -> None:
        mounts = {f"all://{urlsplit(url).netloc}": None for url in past}
        self._client = httpx.AsyncClient(verify=context, mounts=mounts)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return its answer when its head has arrived."""
        try:
            return await self._client.send(request, stream=True)
        except httpx.InvalidURL:  # of a redirect, which httpx reads although nobody follows it
            raise httpx.RemoteProtocolError("a redirect to what is no address") from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


@functools.cache
def unverified() -> ssl.SSLContext:
    """Return the context for TLS within this machine: whatever certificate a sandbox was given will do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def verified() -> ssl.SSLContext:
    """Return the context for HTTPS with the world, as httpx would make it for each client anew.

    Raises:
        OSError: The environment names a file of certificates that cannot be read.
    """
    return _trusting(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@functools.cache
def _trusting(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """Read the certificates, once for what the environment names: it takes 50 ms."""
    return httpx.create_ssl_context()


def check_environment(*urls: str) -> None:
    """Look whether what the environment names for the way to these addresses can be used.

    Raises:
        ConfigError: A proxy or a file for TLS cannot; with a line for each.
    """
    world = [url for url in urls if not is_loopback(url)]
    if world and has_proxy():
        check_proxies()
    if any(urlsplit(url).scheme in {"https", "wss"} for url in world):
        check_certificates()
