"""The proxies and certificates that the environment names: whether they can be used, and what is wrong.

The checks follow what httpx and websockets will make of them. No message shows a proxy's address: it may
hold a password, which cannot be found in an address that does not parse.
"""

import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from hangbot.errors import ConfigError
from hangbot.given_file import check_file

__all__ = [
    "Named",
    "check_certificates",
    "check_proxies",
    "is_proxied",
    "named_proxies",
    "unusable_environment",
]

_SCHEMES: Final = ("http", "https", "all")
_SOCKS: Final = frozenset({"socks5", "socks5h"})
_SOCKS_LIBRARIES: Final = {"socksio": "'httpx[socks]'", "python_socks": "'python-socks[asyncio]'"}
_UNUSABLE: Final = "of the environment cannot be used"
_WRITTEN: Final = (
    "Write http://HOST:PORT, a login as USER:PASSWORD@ before HOST, "
    "and in that / as %2F, # as %23, ? as %3F, @ as %40 and : as %3A."
)


class Named(NamedTuple):
    """A proxy of the environment, with its scheme and the variable that names it."""

    scheme: str
    variable: str
    url: str


def named_proxies(environ: Mapping[str, str] = os.environ) -> Iterator[Named]:
    """Yield the proxies that the environment names; an address without a scheme means HTTP."""
    known = getproxies()
    for scheme in _SCHEMES:
        if url := known.get(scheme):
            names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY")
            variable = next((name for name in names if environ.get(name)), names[1])
            yield Named(scheme, variable, url if "://" in url else f"http://{url}")


def is_proxied(host: str, port: int, *, secure: bool) -> bool:
    """Return whether the environment names a proxy between a WebSocket and its host."""
    schemes = ("wss", "socks", "https") if secure else ("ws", "socks", "https", "http")
    return not proxy_bypass(f"{host}:{port}") and any(getproxies().get(scheme) for scheme in schemes)


def check_proxies(environ: Mapping[str, str] = os.environ) -> None:
    """Check every proxy of the environment, because httpx refuses all of them if one is wrong.

    Raises:
        ConfigError: Some proxies, or ``NO_PROXY``, cannot be used; it has a line for each.
    """
    found = [(named.variable, *fault) for named in named_proxies(environ) if (fault := _fault(named.url))]
    if found:
        faults = [f"{variable} {_UNUSABLE}: {problem}" for variable, problem, _ in found]
        hints = dict.fromkeys(hint for *_, hint in found)
        raise ConfigError(
            "; ".join(faults), faults=faults, remedy=_correct([variable for variable, *_ in found], *hints)
        )
    if environ.get("NO_PROXY") or environ.get("no_proxy"):
        try:
            # Only httpx knows how it reads NO_PROXY.
            httpx.AsyncClient(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        except (ValueError, httpx.InvalidURL):
            raise ConfigError(
                f"NO_PROXY {_UNUSABLE}: it holds what is neither a name nor an address",
                remedy=_correct(
                    ["NO_PROXY"], "Write hosts and domains, by comma: localhost,127.0.0.1,.example.org"
                ),
            ) from None


def _correct(variables: Sequence[str], *hints: str) -> str:
    return f"Correct {', '.join(variables)}, or unset it. {' '.join(hints)}"


def _fault(url: str) -> tuple[str, str] | None:
    """Return what is wrong with a proxy's address and what to do, or ``None``."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        return "it is no address of a proxy", _WRITTEN
    if not host or port == 0 or "@" in f"{parts.path}{parts.query}{parts.fragment}":
        return "it is no address of a proxy", _WRITTEN
    if parts.scheme in _SOCKS:
        missing = [name for name in _SOCKS_LIBRARIES if find_spec(name) is None]
        packages = " ".join(_SOCKS_LIBRARIES[name] for name in missing)
        if missing:
            return (
                f"it names a SOCKS proxy, for which a library is missing ({', '.join(missing)})",
                f"`python -m pip install {packages}` where hangbot runs, or name an HTTP proxy.",
            )
    elif parts.scheme not in {"http", "https"}:
        return "it names a kind of proxy that is not known", "Begin it with http://, https:// or socks5://."
    return None


def check_certificates(environ: Mapping[str, str] = os.environ) -> None:
    """Check the files that the environment names for TLS.

    Raises:
        ConfigError: Some cannot be used; it has a line for each.
    """
    found = list(_certificate_faults(environ))
    if found:
        faults = [f"{variable} {_UNUSABLE}: {problem}" for variable, problem in found]
        hint = "Give the path of a file (of a folder in SSL_CERT_DIR) that this user can use."
        raise ConfigError(
            "; ".join(faults), faults=faults, remedy=_correct([variable for variable, _ in found], hint)
        )


def _certificate_faults(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if file := environ.get("SSL_CERT_FILE"):
        try:
            check_file(Path(file))
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
        except ssl.SSLError:
            yield "SSL_CERT_FILE", "it names a file without a certificate in PEM"
        except OSError as exc:
            yield "SSL_CERT_FILE", f"the file cannot be read: {exc.strerror}"
    elif (folder := environ.get("SSL_CERT_DIR")) and not any(
        Path(part).is_dir() for part in folder.split(os.pathsep)
    ):
        yield "SSL_CERT_DIR", "there is no such folder"
    if log := environ.get("SSLKEYLOGFILE"):
        try:
            os.close(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o600))
        except OSError as exc:
            yield "SSLKEYLOGFILE", f"the file cannot be written: {exc.strerror}"


def unusable_environment(error: Exception) -> ConfigError:
    """Explain why a client could not be made, without the error's own words: they may hold a password."""
    try:
        check_proxies()
        check_certificates()
    except ConfigError as exc:
        return exc
    return ConfigError(
        f"a proxy or certificate file {_UNUSABLE} ({type(error).__name__})",
        remedy="Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
    )
