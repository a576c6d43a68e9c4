"""This machine and the rest of the network: only the latter needs proxies and certificates."""

import functools
import os
import ssl
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from hangbot.proxies import check_certificates, check_proxies

__all__ = ["Proxied", "check_environment", "has_proxy", "is_loopback", "over_http", "unverified", "verified"]


def is_loopback(url: str) -> bool:
    """Return whether an address is this machine, without asking a name server."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def over_http(url: str) -> str:
    """Return where a WebSocket server answers plain HTTP, without the user that its address may name."""
    parts = urlsplit(url)
    scheme = "https" if parts.scheme in {"https", "wss"} else "http"
    return f"{scheme}://{parts.netloc.rpartition('@')[2]}"


def has_proxy() -> bool:
    """Return whether the environment names a proxy that httpx would take."""
    return not {"http", "https", "all"}.isdisjoint(getproxies())


class Proxied(httpx.AsyncBaseTransport):
    """Send requests through the environment's proxy, as httpx reads it.

    Args:
        context: The TLS context.
        past: Addresses that are reached without the proxy.

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
        except httpx.InvalidURL:  # httpx parses the address of a redirect although it is not followed
            raise httpx.RemoteProtocolError("a redirect to what is no address") from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


@functools.cache
def unverified() -> ssl.SSLContext:
    """Return the TLS context for this machine, which accepts any certificate a sandbox may have."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def verified() -> ssl.SSLContext:
    """Return the TLS context for the rest of the network; httpx would make a new one for each client.

    Raises:
        OSError: The environment names a file of certificates that cannot be read.
    """
    return _trusting(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@functools.cache
def _trusting(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """Read the certificates once for each pair of names, because it takes 50 ms."""
    return httpx.create_ssl_context()


def check_environment(*urls: str) -> None:
    """Check that the proxies and certificates which the environment names for these addresses can be used.

    Raises:
        ConfigError: Some cannot; it has a line for each.
    """
    world = [url for url in urls if not is_loopback(url)]
    if world and has_proxy():
        check_proxies()
    if any(urlsplit(url).scheme in {"https", "wss"} for url in world):
        check_certificates()
