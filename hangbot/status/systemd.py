"""What systemd is given (sd_notify): a datagram to the socket that it names; without systemd, nothing."""

import logging
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

__all__ = ["Systemd"]

logger = logging.getLogger(__name__)

_MICROSECONDS: Final = 1_000_000


class Systemd:
    """Says that the bot is ready, that it lives, how it is, and that it stops.

    Args:
        environ: Names the socket (NOTIFY_SOCKET) and the watchdog's time (WATCHDOG_USEC).
        pid: This process's: a watchdog that is another's (WATCHDOG_PID) is left alone.
    """

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._every = _watchdog(environ, pid)
        self._woken_at: float | None = None
        self._ready = False
        self._status = ""

    @property
    def listens(self) -> bool:
        """Whether there is a systemd that wants to know."""
        return bool(self._address)

    @property
    def every(self) -> float | None:
        """Seconds between two signs of life: half of what systemd waits; ``None``: it waits for none."""
        return self._every if self._address else None

    def update(self, now: float, *, live: bool, ready: bool, status: str) -> None:
        """Send what has changed, and a sign of life while the bot lives.

        Args:
            now: Monotonic seconds.
            live: Whether its loop turns.
            ready: Whether it is ready; the first time counts.
            status: How it is, in one line.
        """
        said = []
        if ready and not self._ready:
            self._ready = True
            said.append("READY=1")
        if status != self._status:
            self._status = status
            said.append(f"STATUS={' '.join(status.split())}")
        due = self.every is not None and (self._woken_at is None or now >= self._woken_at + self.every)
        if live and due:
            self._woken_at = now
            said.append("WATCHDOG=1")
        self._send(said)

    def stopping(self) -> None:
        """Say that the bot stops."""
        self._send(["STOPPING=1", "STATUS=stopping: what is on its way goes out"])

    def _send(self, said: list[str]) -> None:
        if not self._address or not said:
            return
        where = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | getattr(socket, "SOCK_CLOEXEC", 0)) as out:
                out.settimeout(0.0)
                out.sendto("\n".join(said).encode("utf-8", "replace"), where)
        except BlockingIOError:
            self._status, self._woken_at = "", None  # systemd is behind: the next look sends it again
            self._ready = self._ready and "READY=1" not in said
        except (OSError, ValueError) as exc:
            more = {"action": "systemd"}
            logger.warning(
                "systemd cannot be reached at NOTIFY_SOCKET (%s): it is left alone", exc, extra=more
            )
            self._address = ""


def _watchdog(environ: Mapping[str, str], pid: int) -> float | None:
    named = environ.get("WATCHDOG_PID", "")
    if named and named != str(pid):
        return None
    with suppress(ValueError):
        return max(0.0, int(environ.get("WATCHDOG_USEC", "")) / _MICROSECONDS / 2) or None
    return None
