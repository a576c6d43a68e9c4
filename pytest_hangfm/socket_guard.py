"""The socket guard: a test that is not live reaches loopback only, and leaves no socket open.

A refused connection looks to the code under test like a machine without a network, and the
test fails afterwards even if that code caught the error. CPython's audit events are heard, so that
nothing of `socket` is replaced.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SocketGuard", "guard_sockets", "is_loopback"]

_LOCAL_NAMES: Final = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", ""})
_INTERNET: Final = frozenset({socket.AF_INET, socket.AF_INET6})
_NETWORK_UNREACHABLE: Final = 101


class SocketGuard:
    """What a guarded test did with sockets.

    Attributes:
        refused: The addresses that were refused, as text.
        calling: Whether the test itself runs: sockets of fixtures may outlive it.
    """

    def __init__(self) -> None:
        self.refused: list[str] = []
        self.calling = False
        self._opened: WeakSet[socket.socket] = WeakSet()

    def left_open(self) -> list[str]:
        """Describe the sockets that the test opened and did not close."""
        return [_describe(sock) for sock in self._opened if sock.fileno() != -1]

    def on_event(self, event: str, args: tuple[Any, ...]) -> None:
        """Take an audit event, as CPython raises it before it does what the event names.

        Raises:
            OSError: The address is not loopback; as the system does where there is no network.
        """
        match event, args:
            case "socket.__new__", (socket.socket() as sock, *_) if self.calling:
                self._opened.add(sock)
            case "socket.connect" | "socket.sendto", (sock, address):
                if sock.family in _INTERNET and not _is_local(address):
                    self.refused.append(_shown(address))
                    raise OSError(_NETWORK_UNREACHABLE, f"the socket guard refuses {_shown(address)}")
            case "socket.getaddrinfo", (host, port, *_) if not _is_local(host):
                self.refused.append(_shown((host, port)))
                raise socket.gaierror(socket.EAI_NONAME, f"the socket guard refuses to look {host!r} up")
            case _:
                pass


def _is_local(address: object) -> bool:
    """Whether an address, or the host of one, leads to this machine; none at all does."""
    host = address[0] if isinstance(address, tuple) and address else address
    return not isinstance(host, str | bytes) or is_loopback(host)


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
    guard = SocketGuard()
    if not _installed:
        sys.addaudithook(_on_audit_event)
        _installed.append(True)
    _guards.append(guard)
    try:
        yield guard
    finally:
        _guards.remove(guard)


_guards: Final[list[SocketGuard]] = []
"""Those in force: more than one where a guarded test runs a guarded test of its own."""
_installed: Final[list[bool]] = []
"""Whether the audit hook is there: no hook can be taken away, so the first guarded test adds the only one."""


def _on_audit_event(event: str, args: tuple[Any, ...]) -> None:
    """Hand an event to the guards in force; what they raise, the caller of the socket gets."""
    if _guards and event.startswith("socket."):
        for guard in reversed(_guards):
            guard.on_event(event, args)


_on_audit_event.__cantrace__ = True  # type: ignore[attr-defined]  # otherwise coverage and debuggers see none of it


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
