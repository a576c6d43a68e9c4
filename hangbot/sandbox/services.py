"""Room, chat and gateway on their ports: which answers a request, and which of them is down."""

import asyncio
import math
import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal, get_args

from hangbot.sandbox.clock import call_in_loop_time, wall_s
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.notes import note, note_unserved
from hangbot.web.http import Request, Response, Unserved
from hangbot.web.listen import HOST
from hangbot.web.server import Handler, HttpServer

__all__ = ["SERVICES", "Choose", "Service", "ServiceName", "Services"]

ServiceName = Literal["room", "chat", "gateway"]
SERVICES: Final[tuple[ServiceName, ...]] = get_args(ServiceName)

Choose = Callable[[str, str], ServiceName]
"""The service for a host and a path (with its query); only the path is known of what cannot be read."""


@dataclass(slots=True)
class Service:
    """One service.

    Attributes:
        handle: Answers its requests.
        cut: Ends its WebSockets without a close.
        down: Whether it is down.
        restarts: How often it was restarted, by which an earlier restart differs from the last one.
        up_again: When it comes up again.
    """

    handle: Handler
    cut: Callable[[], object]
    down: bool = False
    restarts: int = 0
    up_again: asyncio.TimerHandle | None = field(default=None, repr=False)


@dataclass(slots=True)
class _Port:
    server: HttpServer
    names: Collection[ServiceName]


class Services:
    """The services of one sandbox.

    While all services of a port are down, it refuses connections. Of services that share a port one can
    only be down alone as it is behind a proxy: its requests are read, and cut.

    Args:
        journal: Takes what no handler recorded.
        services: The services by name.
        whose: Tells from headers which user makes a request.
        now_s: The time that answers are dated with.
        host: The address of their ports.
    """

    def __init__(
        self,
        journal: Journal,
        services: Mapping[ServiceName, Service],
        whose: Callable[[Mapping[str, str]], str | None],
        now_s: Callable[[], float] = wall_s,
        host: str = HOST,
    ) -> None:
        self._host = host
        self._now_s = now_s
        self._whose = whose
        self._journal = journal
        self._services = services
        self._ports: list[_Port] = []
        self._control: HttpServer | None = None
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(
        self,
        names: Collection[ServiceName],
        choose: Choose,
        port: int,
        tls: ssl.SSLContext | None,
        *,
        largest_body: int,
    ) -> int:
        """Open a port for some services, and return it.

        Raises:
            HangbotError: The port is taken.
        """

        async def handle(request: Request) -> Response | None:
            return await self._handle(choose(request.host, request.target), request)

        def witness(unserved: Unserved) -> None:
            self._witness(choose, unserved)

        server = HttpServer(
            handle,
            port,
            tls,
            largest_body=largest_body,
            now_s=self._now_s,
            witness=witness,
            host=self._host,
        )
        self._ports.append(_Port(server, names))
        await server.listen()
        return server.port

    async def open_control(self, handler: Handler, port: int, *, largest_body: int) -> None:
        """Open the port of the control API.

        Raises:
            HangbotError: The port is taken.
        """
        self._control = HttpServer(handler, port, largest_body=largest_body, now_s=wall_s, host=self._host)
        await self._control.listen()

    def port(self, name: ServiceName | Literal["control"]) -> int | None:
        """Return the port of a service or of the control API, ``None`` until it is opened."""
        if name == "control":
            return None if self._control is None else self._control.port
        return next((port.server.port for port in self._ports if name in port.names), None)

    async def close(self) -> None:
        """End everything; nothing comes up again. Idempotent."""
        if self._control is not None:
            await self._control.close()
        for service in self._services.values():
            if service.up_again is not None:
                service.up_again.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for service in self._services.values():
            service.cut()
        for port in self._ports:
            await port.server.close()

    async def restart(self, names: Collection[ServiceName] = SERVICES, down_ms: float = 0) -> None:
        """Do what a redeployment does: connections end without a close frame (1006), then none is taken.

        What the services know survives. They are up again after ``down_ms`` on the clock of the event
        loop, whatever the sandbox's own clock says. Returns when they are down, or up again where
        ``down_ms`` is 0.

        Raises:
            ValueError: There is no such service, or none is named; or ``down_ms`` is negative or not finite.
        """
        unknown = [name for name in names if name not in SERVICES]
        if unknown or not names:
            problem = f"no such service: {unknown[0]!r}" if unknown else "no service named"
            raise ValueError(f"{problem}; there are {', '.join(SERVICES)}")
        if not 0 <= down_ms < math.inf:
            raise ValueError("down_ms must be 0 or more, and finite")
        async with self._changing:
            for name in names:
                service = self._services[name]
                service.down = True
                service.restarts += 1
                if service.up_again is not None:
                    service.up_again.cancel()
                service.cut()
                for port in self._ports:
                    port.server.cut(name)
            for port in self._ports:
                if port.server.listening and self._is_down(port):
                    await port.server.stop()
        restarts = {name: self._services[name].restarts for name in names}
        if down_ms <= 0:
            await self._come_up(restarts)
            return
        for name in names:
            begin = partial(self._begin_to_come_up, {name: restarts[name]})
            self._services[name].up_again = call_in_loop_time(down_ms / 1000, begin)

    def cut(self, name: ServiceName) -> None:
        """End every connection of a service, which stays up."""
        self._services[name].cut()
        for port in self._ports:
            port.server.cut(name)

    def _begin_to_come_up(self, restarts: Mapping[ServiceName, int]) -> None:
        task = asyncio.get_running_loop().create_task(self._come_up(restarts), name="sandbox: a restart")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _come_up(self, restarts: Mapping[ServiceName, int]) -> None:
        """Be up again, where no other restart came after that one."""
        async with self._changing:
            for name, number in restarts.items():
                if self._services[name].restarts == number:
                    self._services[name].down = False
            for port in self._ports:
                if not port.server.listening and not self._is_down(port):
                    await port.server.listen()

    def _is_down(self, port: _Port) -> bool:
        return all(self._services[name].down for name in port.names)

    async def _handle(self, name: ServiceName, request: Request) -> Response | None:
        request.serve_as(name)
        service = self._services[name]
        if service.down:
            uid, conn = self._whose(request.headers), request.conn
            self._journal.record(name, "in", "http", conn=conn, uid=uid, **note(request))
            self._journal.record(name, "out", "close", conn=conn, uid=uid, deed="down", path=request.target)
            request.abort()
            return None
        return await service.handle(request)

    def _witness(self, choose: Choose, unserved: Unserved) -> None:
        host = "" if unserved.request is None else unserved.request.host
        row: dict[str, Any] = note_unserved(unserved)
        name = choose(host, str(row["path"]))
        uid = None if unserved.request is None else self._whose(unserved.request.headers)
        self._journal.record(name, "in", "http", uid=uid, **row)
        if unserved.status is not None:
            answer = {"method": row["method"], "path": row["path"], "status": unserved.status, "body": ""}
            self._journal.record(name, "out", "http", **answer)
