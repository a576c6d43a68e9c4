"""One nats-server on loopback, as a process of ours that never outlives us."""

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from hangbot.clock import Clock
from hangbot.errors import HangbotError
from hangbot.fleet.server_ports import Ports
from hangbot.tied import tied

__all__ = ["ServerProcess", "configuration"]

MONITOR_TAG: Final = "monitor:"
"""Begins the tag of a server by which `hangbot fleet check` finds the port that it is monitored by."""
_ENDING_S: Final = 5.0
_LOOK_S: Final = 0.01


def configuration(
    name: str,
    own: Ports,
    others: Sequence[str],
    store: Path,
    *,
    cluster: str,
    sync: str,
    advertised: str = "",
    more: str = "",
) -> str:
    """Return the text of a server's configuration file.

    Args:
        name: The server's name.
        own: Where it listens.
        others: Where it reaches the others, as ``HOST:PORT``.
        store: The folder of its streams.
        cluster: The cluster's name.
        sync: ``always``: what is acknowledged is on disk; ``default``: within two minutes.
        advertised: The address of it that servers pass on to each other; empty: where it listens.
        more: Further lines.
    """
    routes = ", ".join(f'"nats://{other}"' for other in others)
    advertise = f'\n  advertise: "{advertised}"' if advertised else ""
    kept = json.dumps(str(store), ensure_ascii=False)
    always = "\n  sync_interval: always" if sync == "always" else ""
    together = (
        f'cluster {{\n  name: {cluster}\n  listen: "127.0.0.1:{own.cluster}"{advertise}\n'
        f"  routes: [{routes}]\n}}\n"
    )
    return (
        f'server_name: {name}\nlisten: "127.0.0.1:{own.client}"\nhttp: "127.0.0.1:{own.monitor}"\n'
        f'server_tags: ["{MONITOR_TAG}{own.monitor}"]\n'
        f"jetstream {{\n  store_dir: {kept}{always}\n}}\n" + (together if others else "") + more
    )


class ServerProcess:
    """One of them: started, stopped and started again over the same folder.

    Args:
        binary: The nats-server.
        file: Its configuration.
        log: What it says goes there.
        clock: Waits.
    """

    def __init__(self, binary: str, file: Path, log: Path, clock: Clock) -> None:
        self._command = [binary, "-c", str(file)]
        self._log = log
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process, if it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it; it is not yet ready."""
        if self.pid is not None:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  our own arguments
                tied(self._command, signal.SIGKILL),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we end it
            )

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(number)

    async def pause(self) -> None:
        """Let it stand still."""
        self.send(signal.SIGSTOP)

        def stands() -> bool:
            return not self.pid or bool(os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG))

        async def stopped() -> None:
            while not stands():
                await self._clock.sleep(_LOOK_S)

        await self._clock.wait_for(stopped(), _ENDING_S)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, and wait until it has ended; one that does not is killed."""
        if self._process is None:
            return
        self.send(signal.SIGCONT)
        self.send(number)
        try:
            await self._clock.wait_for(self._ended(), _ENDING_S)
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self._clock.wait_for(self._ended(), _ENDING_S)

    async def _ended(self) -> None:
        while self._process and self._process.poll() is None:
            await self._clock.sleep(_LOOK_S)

    def kill_now(self) -> None:
        """Kill it without waiting on a loop."""
        self.send(signal.SIGKILL)
        if self._process:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_ENDING_S)

    def last_words(self) -> str:
        """Return the last error or warning of its log; empty: none."""
        try:
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        said = [
            line for line in lines if "[FTL]" in line or "[ERR]" in line or line.startswith("nats-server:")
        ]
        return said[-1].rpartition("] ")[2] if said else ""

    def ending(self) -> str:
        """Return with which code it has ended, and why; empty: it has not."""
        code = self._process.poll() if self._process else None
        return "" if code is None else f"{code}: {self.last_words() or 'no reason given'}"

    def check_running(self) -> None:
        """Raise where it has ended by itself."""
        if ending := self.ending():
            raise HangbotError(
                f"{self._command[0]} has ended with {ending}",
                remedy="Give another one with --nats-server PATH, or read its log (--keep DIR keeps it).",
            )
