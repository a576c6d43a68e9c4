"""Hang.fm's own names for a bot that has them in its code: for it alone they lead to its sandbox.

Each sandbox has an address of loopback of its own, where it listens on the port of https. Which one the names
lead to stands in a hosts file that only the bot sees (a private mount namespace, Linux); where that cannot be
had, in the system's, written by hand, and then one bot lives at a time.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hangbot.sandbox import TRUST, Certified, certify, host_names, open_sandbox
from pytest_hangfm.proof.refusals import NotHere

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from hangbot.sandbox import Sandbox

__all__ = ["OwnNames", "hosts_text"]

_HTTPS: Final = 443
_LOOPBACK: Final = "127.0.0.1"
_SYSTEM_FILE: Final = Path("/etc/hosts")
_ASKED_WITHIN: Final = 10.0
_PROBE: Final = "127.0.0.1 hangbot-prove.invalid\n"
_READABLE: Final = 0o644
"""A bot of another user, in a container for example, has to read the file; it holds no key."""
_MOUNT: Final = f'mount --bind "$0" {_SYSTEM_FILE} && exec "$@"'
_ADDRESSES: Final = {
    "SOCKET_SERVER_URL": "https://socket.prod.tt.fm",
    "OPENCHAT_BASE_URL": "https://openchat.prod.tt.fm",
    "TTFM_GATEWAY_BASE_URL": "https://gateway.prod.tt.fm",
    "COMET_BASE_URL": "https://openchat.prod.tt.fm",
}
"""What a bot is given that does read its environment: with the certificate only these are good."""


@dataclass(frozen=True, slots=True)
class OwnNames:
    """How Hang.fm's names lead to a sandbox.

    Attributes:
        certified: The certificate, and who made it.
        namespace: The words before a command that give it a hosts file of its own; empty where the system's
            file leads to 127.0.0.1.
    """

    certified: Certified
    namespace: tuple[str, ...]

    @classmethod
    def find(cls) -> OwnNames:
        """Find out what is possible here.

        Raises:
            NotHere: The names cannot lead to a sandbox.
        """
        try:
            certified = certify()
        except ModuleNotFoundError:
            raise NotHere("--tls needs the library trustme: pip install 'hangbot[tls]'") from None
        namespace = _private_namespace()
        if not namespace and not _lead_here():
            raise NotHere(
                "no program can be given a hosts file of its own here (`unshare --mount` is missing, or "
                f"refused): put this line into {_SYSTEM_FILE} until the proof is over, and run it again: "
                f"{_LOOPBACK} {' '.join(_names())}"
            )
        if why := _why_no_port(_some_address() if namespace else _LOOPBACK):
            raise NotHere(f"--tls needs port {_HTTPS} of loopback: {why}")
        return cls(certified, namespace)

    @property
    def side_by_side(self) -> bool:
        """Whether several bots may live at once."""
        return bool(self.namespace)

    def open_sandbox(self, **more: Any) -> AbstractAsyncContextManager[Sandbox]:  # noqa: ANN401  its own options
        """Open a sandbox to which the names can lead."""
        address = _some_address() if self.namespace else _LOOPBACK
        return open_sandbox(
            tls=self.certified.context, by_host=True, http_port=_HTTPS, host=address, control=False, **more
        )

    def lead(
        self, argv: Sequence[str], sandbox: Sandbox, folder: Path
    ) -> tuple[tuple[str, ...], dict[str, str]]:
        """Return the command by which a program finds the sandbox, and what its environment needs.

        Args:
            argv: The program's own command.
            sandbox: Where the names lead.
            folder: What has to be written is written here.

        Raises:
            OSError: It cannot be written.
        """
        env = self.environment(self.write_authority(folder))
        if not self.namespace:
            return tuple(argv), env
        file = folder / "hosts"
        before = _SYSTEM_FILE.read_text("utf-8", "replace")
        file.write_text(hosts_text(before, sandbox.host, self.names(sandbox)), "utf-8")
        return (*self.namespace, str(file), *argv), env

    def names(self, sandbox: Sandbox) -> tuple[str, ...]:
        """Return the names that have to lead to a sandbox."""
        return _names(sandbox.app_id)

    def environment(self, authority: Path | str) -> dict[str, str]:
        """Return what a bot is given: the services' names, and the file with the authority to trust."""
        return _ADDRESSES | dict.fromkeys(TRUST, str(authority))

    def write_authority(self, folder: Path) -> Path:
        """Write the authority's certificate into a folder.

        Raises:
            OSError: It cannot be written.
        """
        file = folder / "authority.pem"
        file.write_text(self.certified.authority, "ascii")
        file.chmod(_READABLE)
        return file


def hosts_text(before: str, address: str, names: Sequence[str]) -> str:
    """Return a hosts file in which names lead to an address, whatever led them elsewhere. PURE."""
    gone = set(names)
    kept = [line for line in before.splitlines() if not gone & set(line.partition("#")[0].split()[1:])]
    return "\n".join([f"{address} {' '.join(names)}", *kept, ""])


def _names(app_id: str = "") -> tuple[str, ...]:
    # Two of them begin with the app id, which is not known before there is a sandbox.
    return tuple(name for name in host_names(app_id) if not name.startswith("."))


def _some_address() -> str:
    """Return an address of loopback that nothing else uses: one of millions, whatever seed runs share."""
    low = 1 + secrets.randbelow(2**22 - 2)
    return f"127.{64 + (low >> 16)}.{low >> 8 & 255}.{low & 255}"


def _why_no_port(address: str) -> str:
    """Return why the port of https cannot be listened on, and what to do; empty where it can."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, _HTTPS))
    except PermissionError:
        users = f"sudo sysctl net.ipv4.ip_unprivileged_port_start={_HTTPS}"
        return f"run as root, or let users have it with `{users}`"
    except OSError as exc:
        return f"{os.strerror(exc.errno or 0)}; end what listens there"
    return ""


def _lead_here() -> bool:
    """Whether the system's own hosts file leads all names to loopback."""
    try:
        return all(socket.gethostbyname(name) == _LOOPBACK for name in _names())
    except OSError:
        return False


def _private_namespace() -> tuple[str, ...]:
    """Return the words that give a command a hosts file of its own; none where the system refuses it."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    with tempfile.NamedTemporaryFile("w", prefix="hangbot-prove-hosts-") as file:
        file.write(_PROBE)
        file.flush()
        for more in ((), ("--map-root-user",)):
            words = (unshare, "--mount", *more, "--", "sh", "-c", _MOUNT)
            if _printed((*words, file.name, "cat", str(_SYSTEM_FILE))) == _PROBE:
                return words
    return ()


def _printed(argv: Sequence[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603  the system's own tools
            argv, capture_output=True, text=True, check=False, timeout=_ASKED_WITHIN
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
