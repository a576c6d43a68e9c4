"""The socket guard: a test that is not live reaches loopback only, and leaves no socket open.

A refused connection looks to the code under test like a machine without a network, and the
test fails afterwards whatever that code made of it.
"""

from __future__ import annotations

import ipaddress
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["SocketGuard", "guard_sockets", "is_loopback"]

_LOCAL_NAMES: Final = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", ""})
_INTERNET: Final = frozenset({socket.AF_INET, socket.AF_INET6})
_NETWORK_UNREACHABLE: Final = 101


class SocketGuard:
    """What a guarded test did with sockets.

    Attributes:
        refused: Where it wanted to go, as text.
        calling: Whether the test itself runs: sockets of fixtures may outlive it.
    """

    def __init__(self) -> None:
        self.refused: list[str] = []
        self.calling = False
        self._opened: WeakSet[socket.socket] = WeakSet()

    def opened(self, sock: socket.socket) -> None:
        """Remember a socket that the test itself opened."""
        if self.calling:
            self._opened.add(sock)

    def left_open(self) -> list[str]:
        """Describe the sockets that the test opened and nobody closed."""
        return [_describe(sock) for sock in self._opened if sock.fileno() != -1]

    def check(self, address: object) -> None:
        """Refuse an address that is not loopback.

        Raises:
            OSError: As the system does where there is no network.
        """
        host = address[0] if isinstance(address, tuple) and address else address
        if isinstance(host, str | bytes) and not is_loopback(host):
            self.refused.append(_shown(address))
            raise OSError(_NETWORK_UNREACHABLE, f"the socket guard refuses {_shown(address)}")


def is_loopback(host: str | bytes) -> bool:
    """Whether a host is this machine, without asking a name server."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if text.lower() in _LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or mapped.is_unspecified


@contextmanager
def guard_sockets() -> Iterator[SocketGuard]:
    """Guard every socket of this process for as long as the block runs."""
    watch = SocketGuard()
    kept = {
        name: socket.socket.__dict__.get(name) for name in ("__init__", "connect", "connect_ex", "sendto")
    }
    lookup = socket.getaddrinfo
    for name, guarded in _guarded(watch).items():
        setattr(socket.socket, name, guarded)
    socket.getaddrinfo = _guarded_lookup(watch, lookup)
    try:
        yield watch
    finally:
        socket.getaddrinfo = lookup
        for name, method in kept.items():
            if method is None:
                delattr(socket.socket, name)
            else:
                setattr(socket.socket, name, method)


def _guarded(watch: SocketGuard) -> dict[str, Callable[..., Any]]:
    made, connect = socket.socket.__init__, socket.socket.connect
    connect_ex, sendto = socket.socket.connect_ex, socket.socket.sendto

    def guarded_init(self: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  whatever a socket takes
        made(self, *args, **kwargs)
        watch.opened(self)

    def guarded_connect(self: socket.socket, address: Any) -> None:  # noqa: ANN401  whatever a socket takes
        if self.family in _INTERNET:
            watch.check(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:  # noqa: ANN401  whatever a socket takes
        if self.family in _INTERNET:
            try:
                watch.check(address)
            except OSError:
                return _NETWORK_UNREACHABLE
        return connect_ex(self, address)

    def guarded_sendto(self: socket.socket, data: Any, *where: Any) -> int:  # noqa: ANN401  whatever a socket takes
        if self.family in _INTERNET:
            watch.check(where[-1])
        return sendto(self, data, *where)

    return {
        "__init__": guarded_init,
        "connect": guarded_connect,
        "connect_ex": guarded_connect_ex,
        "sendto": guarded_sendto,
    }


def _guarded_lookup(watch: SocketGuard, lookup: Callable[..., Any]) -> Callable[..., Any]:
    def guarded_getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  as the original
        if isinstance(host, str | bytes) and not is_loopback(host):
            watch.refused.append(_shown((host, port)))
            raise socket.gaierror(socket.EAI_NONAME, f"the socket guard refuses to look {host!r} up")
        return lookup(host, port, *args, **kwargs)

    return guarded_getaddrinfo


def _shown(address: object) -> str:
    if isinstance(address, tuple) and len(address) > 1:
        host, port = address[:2]
        return f"{host.decode() if isinstance(host, bytes) else host}:{port}"
    return str(address)


def _describe(sock: socket.socket) -> str:
    try:
        here, there = sock.getsockname(), ""
    except OSError:
        return repr(sock)
    try:
        there = f" to {_shown(sock.getpeername())}"
    except OSError:
        there = " (not connected)"
    return f"{_shown(here)}{there}"
