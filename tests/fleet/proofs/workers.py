"""Workers as processes, each of which reaches the cluster and the sandbox over forwarders of its own."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from hangbot.exit_codes import CANNOT_TELL
from hangbot.fleet.servers import Servers
from tests.bounds import WITHIN
from tests.fleet.forwarder import Forwarder
from tests.fleet.proofs.rooms import NOT_THERE, FleetRooms

__all__ = ["WorkerProcess", "open_workers"]

_AGAIN: Final = 1.0
"""Seconds after which one that found no cluster is started again, as a manager of services does it."""
_FIRST_HOST: Final = 11
"""Of 127.0.0.0/8: by the address that is asked the sandbox tells the workers apart."""


class WorkerProcess:
    """One worker: the same name over all its runs.

    Args:
        name: Its name.
        folder: The rooms'.
        logs: The folder of what it says.
        fleet: The fleet's name.
        nats: Its ways to the servers.
        room: Its way to the room socket.
        chat: Its way to chat and gateway.

    Attributes:
        name: As above.
        nats: As above.
        code: The folder of the hangbot that it runs from its next start on; ``None``: of this one.
        runs: How often it was started.
        faults: What it did that it must not do.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        logs: Path,
        fleet: str,
        *,
        nats: Sequence[Forwarder],
        room: Forwarder,
        chat: Forwarder,
    ) -> None:
        self.name = name
        self.nats = nats
        self.code: Path | None = None
        self.runs = 0
        self.faults: list[str] = []
        self._folder, self._logs = folder, logs
        self._env = {
            "HANGBOT_OUTBOX": f"nats://{','.join(each.address for each in nats)},{NOT_THERE}/{fleet}",
            "SOCKET_SERVER_URL": f"http://{room.address}",
            "OPENCHAT_BASE_URL": f"http://{chat.address}",
            "TTFM_GATEWAY_BASE_URL": f"http://{chat.address}",
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._is_meant_to_run = False

    @property
    def log(self) -> Path:
        """What this run logs."""
        return self._logs / f"{self.name}-{self.runs:03}.log"

    def start(self) -> None:
        """Start it, for the first time or again."""
        self.runs += 1
        self._is_meant_to_run = True
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  our own command
                [
                    *(sys.executable, "-m", "hangbot", "fleet", "run", "--rooms", str(self._folder)),
                    *("--worker", self.name, "--app", "quiz:app"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=os.environ | self._env | ({"PYTHONPATH": str(self.code)} if self.code else {}),
            )

    def pause(self) -> None:
        """Let it stand still."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    async def kill(self) -> None:
        """Kill it."""
        self._is_meant_to_run = False
        self._send(signal.SIGKILL)
        await self._ended()

    async def stop(self) -> int:
        """Have it give its rooms up, and return its exit code."""
        self._is_meant_to_run = False
        self._send(signal.SIGCONT)
        self._send(signal.SIGTERM)
        return await self._ended()

    async def supervise(self) -> None:
        """Start it again where it has ended by itself, until this is cancelled."""
        while True:
            await asyncio.sleep(_AGAIN)
            if self._is_meant_to_run and self._process and (code := self._process.poll()) is not None:
                if code != CANNOT_TELL:
                    self.faults.append(f"{self.name} has ended by itself with {code}: {self.log}")
                self.start()

    def _send(self, number: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(number)

    async def _ended(self) -> int:
        assert self._process
        return await asyncio.to_thread(self._process.wait, WITHIN)


@asynccontextmanager
async def open_workers(
    count: int, rooms: FleetRooms, servers: Servers, fleet: str, logs: Path
) -> AsyncIterator[list[WorkerProcess]]:
    """Start so many workers; each is killed at the end."""
    async with AsyncExitStack() as stack:

        async def forward(host: str, target: int) -> Forwarder:
            forwarder = Forwarder(host, target)
            await forwarder.open()
            stack.push_async_callback(forwarder.close)
            return forwarder

        workers = []
        for number in range(count):
            name, host = f"w{number + 1}", f"127.0.0.{_FIRST_HOST + number}"
            rooms.know(name, host)
            nats = [await forward(host, ports.client) for ports in servers.ports]
            room, chat = await forward(host, rooms.room_port), await forward(host, rooms.chat_port)
            worker = WorkerProcess(name, rooms.folder, logs, fleet, nats=nats, room=room, chat=chat)
            worker.start()
            stack.push_async_callback(worker.kill)
            workers.append(worker)
        supervising = [
            asyncio.create_task(worker.supervise(), name=f"supervises {worker.name}") for worker in workers
        ]
        try:
            yield workers
        finally:
            for task in supervising:
                task.cancel()
            await asyncio.gather(*supervising, return_exceptions=True)
