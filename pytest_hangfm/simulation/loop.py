"""An event loop without a machine below it: time jumps to the next timer, connections are in memory.

It has no selector, no thread and no socket. Callbacks run in the order in which they were asked for,
timers by their time and then by their order, so that the same program does the same each time.
"""

import asyncio
import contextvars
import heapq
import itertools
import sys
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from typing import Any, Final, NoReturn, TypeVar, TypeVarTuple, cast
from weakref import WeakSet

from pytest_hangfm.simulation.network import Network

__all__ = ["SimulatedLoop", "simulated"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_PASS: Final = 1e-6
"""Seconds that each pass takes: what asks again and again until a time has come gets there."""
Coro = Generator[Any, None, T] | Coroutine[Any, Any, T]


class _Handle(asyncio.TimerHandle):
    """A callback and when it is due; it runs itself, since the base class offers no public way."""

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context | None,
    ) -> None:
        super().__init__(when, callback, args, loop)
        self._todo = (callback, args, context or contextvars.copy_context())
        self._off = False

    def cancel(self) -> None:
        self._off = True

    def cancelled(self) -> bool:
        return self._off

    def run(self) -> None:
        callback, args, context = self._todo
        context.run(callback, *args)


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs coroutines in virtual time.

    Attributes:
        network: What listens and who is connected.
        failures: What was raised where no task could take it: an unhandled error of a callback, or of a
            task that was dropped.
    """

    def __init__(self) -> None:
        self.network = Network(self)
        self.failures: list[dict[str, Any]] = []
        self._now = 0.0
        self._ready: deque[_Handle] = deque()
        self._timers: list[tuple[float, int, _Handle]] = []
        self._order: Final = itertools.count()
        self._running = False
        self._stopping = False
        self._closed = False
        self._generators: WeakSet[AsyncGenerator[Any, Any]] = WeakSet()

    # -- running

    def run_forever(self) -> None:
        """Run until `stop`.

        Raises:
            RuntimeError: Nothing is left that could ever happen.
        """
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._generators.add, finalizer=self._close_generator)
        asyncio._set_running_loop(self)  # noqa: SLF001  in asyncio's __all__ for those who write a loop
        self._running = True
        try:
            while not self._stopping:
                self._run_once()
        finally:
            self._running = self._stopping = False
            asyncio._set_running_loop(None)  # noqa: SLF001  likewise
            sys.set_asyncgen_hooks(*hooks)

    def _run_once(self) -> None:
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not self._ready:
            if not timers:
                raise RuntimeError("nothing is left to happen: the simulation would wait for ever")
            self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            self._ready.append(heapq.heappop(timers)[2])
        self._now += _PASS
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if handle.cancelled():
                continue
            try:
                handle.run()
            except Exception as exc:  # noqa: BLE001  kept for the test, which fails on it
                self.call_exception_handler({"message": f"a callback failed: {handle!r}", "exception": exc})

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        """Run until something is done, and return what came of it."""
        task = asyncio.ensure_future(cast("Awaitable[T]", future), loop=self)
        task.add_done_callback(self._stop_for)
        try:
            self.run_forever()
        finally:
            task.remove_done_callback(self._stop_for)
        return task.result()

    def _stop_for(self, _done: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopping = True

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Forget what has not happened yet."""
        self._closed = True
        self._ready.clear()
        self._timers.clear()

    # -- time and callbacks

    def time(self) -> float:
        return self._now

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        handle = _Handle(self._now, callback, args, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # there is one thread

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = _Handle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coro[T], **options: Any) -> asyncio.Task[T]:  # noqa: ANN401  the task's own
        return asyncio.Task(coro, loop=self, **options)

    def get_task_factory(self) -> None:
        """Tasks are asyncio's own."""

    # -- what goes wrong

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep an error that no task could take."""
        self.failures.append(context)

    def get_debug(self) -> bool:
        """There is no debug mode: it measures real time."""
        return False

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001  asyncio's own signature
        """Ignore it."""

    # -- the end

    def _close_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        self.create_task(generator.aclose())

    async def shutdown_asyncgens(self) -> None:
        """Close the generators that were left open."""
        for generator in list(self._generators):
            await generator.aclose()

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  asyncio's
        """There is none."""

    def run_in_executor(self, *_: object) -> NoReturn:
        """Refuse: a thread would bring the machine's time back."""
        raise RuntimeError("a thread was asked for in a simulation (run_in_executor)")

    # -- the network

    async def getaddrinfo(self, host: Any, port: Any, **_: object) -> list[Any]:  # noqa: ANN401  asyncio's own
        """Return the one address of a name."""
        return self.network.look_up(host, port)

    async def create_connection(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401  asyncio's own
        """Connect to what listens in memory."""
        return await self.network.connect(*args, **options)

    async def create_server(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401  asyncio's own
        """Listen in memory."""
        return self.network.listen(*args, **options)


def simulated(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time, and return what came of it."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(main)
