"""What processes of a machine do, and the program of a server, for tests."""

import asyncio
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from hangbot.errors import HangbotError
from hangbot.fleet.servers import Route, Servers, find_binary, open_servers
from tests.bounds import WITHIN
from tests.memory import IN_MEMORY

__all__ = ["OutboxProcess", "nats_program", "open_quick_servers", "outbox_process", "runs"]


def nats_program() -> str:
    """Return the server's program; without one the test is skipped."""
    try:
        return find_binary()
    except HangbotError as exc:
        pytest.skip(f"{exc}. {exc.remedy}")


@asynccontextmanager
async def open_quick_servers(route: Route | None = None) -> AsyncIterator[Servers]:
    """Run three servers whose streams are in memory, if there is room: they sync each record."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY, ignore_cleanup_errors=True) as folder:
        async with open_servers(folder=Path(folder), route=route) as servers:
            yield servers


def runs(pid: int) -> bool:
    """Whether a process is there, and not only its end to be asked for."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"


class OutboxProcess:
    """A process that works on an outbox (`tests/fleet/outbox_process.py`), and what it said it has done.

    Args:
        out: The file for what it says.
        args: Its own.
    """

    def __init__(self, out: Path, *args: str) -> None:
        self._out, self._err = out, out.with_suffix(".err")
        command = [sys.executable, "-m", "tests.fleet.outbox_process", *args]
        with self._out.open("wb") as file, self._err.open("wb") as err:
            self._process = subprocess.Popen(command, stdout=file, stderr=err)  # noqa: S603  our own script

    def told(self, what: str) -> list[str]:
        """Return the ids of which it said this."""
        lines = self._out.read_text(encoding="ascii").split("\n")[:-1]  # the last may be cut off
        return [key for said, key in map(str.split, lines) if said == what]

    async def tells(self, many: int) -> None:
        """Wait until so many more are accepted."""
        wanted = len(self.told("accepted")) + many
        async with asyncio.timeout(WITHIN):
            while len(self.told("accepted")) < wanted:
                assert self._process.poll() is None, self._err.read_text(encoding="utf-8")
                await asyncio.sleep(0.005)

    async def ends(self) -> str:
        """Wait until it ends by itself, and return its last words."""
        async with asyncio.timeout(WITHIN):
            while self._process.poll() is None:  # noqa: ASYNC110  likewise
                await asyncio.sleep(0.005)
        return self._err.read_text(encoding="utf-8").splitlines()[-1]

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it, if it still runs."""
        self._process.kill()
        self._process.wait(WITHIN)


@contextmanager
def outbox_process(out: Path, *args: str) -> Iterator[OutboxProcess]:
    """Run one within the block."""
    process = OutboxProcess(out, *args)
    try:
        yield process
    finally:
        process.kill()
