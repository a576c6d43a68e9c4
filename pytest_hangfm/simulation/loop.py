"""An event loop without a machine below it: time jumps to the next timer, connections are in memory.

It has no selector, no thread and no socket. Callbacks run in the order in which they were asked for,
timers by their time and then by their order, so that the same program does the same each time.
"""

import asyncio
import contextvars
import gc
import heapq
import itertools
import sys
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from typing import Any, Final, NoReturn, TypeVar, TypeVarTuple, cast
from weakref import WeakKeyDictionary

from pytest_hangfm.simulation.guards import refuse
from pytest_hangfm.simulation.network import Network
from pytest_hangfm.simulation.process import OWNER, Process

__all__ = ["SimulatedLoop", "simulated"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_PASS: Final = 1e-6
"""Seconds that each pass takes: what asks again and again until a time has come gets there."""
Coro = Generator[Any, None, T] | Coroutine[Any, Any, T]


class _Handle(asyncio.TimerHandle):
    """A callback and when it is due.

    The base class is not initialised: it would copy a second context, and keep what this one keeps.

    Attributes:
        todo: The callback and what it is called with; ``None`` once it is cancelled.
        within: In which context.
        owner: Of which process.
    """

    __slots__ = ("owner", "todo", "within")

    def __init__(
        self,
        when: float,
        todo: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> None:
        self._when = when
        self.todo: tuple[Any, ...] | None = todo
        self.within = context = contextvars.copy_context() if context is None else context
        self.owner = context.get(OWNER)

    def __repr__(self) -> str:
        return f"<handle of {self.todo[0]!r}>" if self.todo else "<handle, cancelled>"

    def cancel(self) -> None:
        self.todo = None

    def cancelled(self) -> bool:
        return self.todo is None

    def get_context(self) -> contextvars.Context:
        return self.within


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs coroutines in virtual time.

    Attributes:
        network: What listens and who is connected.
        processes: All that were started, in order.
        failures: What was raised where no task could take it: an unhandled error of a callback, or of a
            task that was dropped.
    """

    def __init__(self) -> None:
        self.network = Network(self)
        self.processes: list[Process] = []
        self.failures: list[dict[str, Any]] = []
        self._now = 0.0
        self._ready: deque[_Handle] = deque()
        self._timers: list[tuple[float, int, _Handle]] = []
        self._order: Final = itertools.count()
        self._running = False
        self._stopping = False
        self._closed = False
        self._generators: WeakKeyDictionary[AsyncGenerator[Any, Any], None] = WeakKeyDictionary()

    def start_process(self, name: str) -> Process:
        """Start a process; nothing runs in it yet."""
        process = Process(name, self)
        self.processes.append(process)
        return process

    def pause(self, process: Process, seconds: float) -> None:
        """Let a process stand still, as SIGSTOP and SIGCONT do: what becomes due meanwhile runs then."""
        process.paused = True
        contextvars.Context().run(self.call_later, seconds, self._resume, process)

    def _resume(self, process: Process) -> None:
        self._ready.extend(cast("list[_Handle]", process.thaw()))

    # -- running

    def run_forever(self) -> None:
        """Run until `stop`.

        No garbage is collected meanwhile: when that happens depends on all that ran before in this
        interpreter, and finalizers may have effects.

        Raises:
            RuntimeError: Nothing is left that could ever happen.
        """
        hooks, collects = sys.get_asyncgen_hooks(), gc.isenabled()
        sys.set_asyncgen_hooks(firstiter=self._note_generator, finalizer=self._close_generator)
        gc.disable()
        asyncio._set_running_loop(self)  # noqa: SLF001  in asyncio's __all__ for those who write a loop
        self._running = True
        try:
            while not self._stopping:
                self._run_once()
        finally:
            self._running = self._stopping = False
            asyncio._set_running_loop(None)  # noqa: SLF001  likewise
            sys.set_asyncgen_hooks(*hooks)
            if collects:
                gc.enable()

    def _run_once(self) -> None:
        timers, ready = self._timers, self._ready
        while timers and timers[0][2].todo is None:
            heapq.heappop(timers)
        if not ready:
            if not timers:
                raise RuntimeError("nothing is left to happen: the simulation would wait for ever")
            self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            ready.append(heapq.heappop(timers)[2])
        self._now += _PASS
        for _ in range(len(ready)):
            handle = ready.popleft()
            todo, owner = handle.todo, handle.owner
            if todo is None:
                continue
            if owner is not None and not owner.begin_step():
                owner.freeze(handle)
                continue
            try:
                handle.within.run(*todo)
            except (Exception, asyncio.CancelledError) as exc:  # noqa: BLE001  kept for the test, which fails on it
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
        """Forget what has not happened yet, and what is frozen."""
        if self._closed:
            return
        self._closed = True
        asyncio._set_running_loop(self)  # noqa: SLF001  for what ends of frozen tasks ask of it
        try:
            for process in self.processes:
                process.dispose()
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001  likewise
        self.network.close()
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
        handle = _Handle(self._now, (callback, *args), context)
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
        handle = _Handle(when, (callback, *args), context)
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coro[T], **options: Any) -> asyncio.Task[T]:  # noqa: ANN401  the task's own
        task = asyncio.Task(coro, loop=self, **options)
        context = options.get("context")
        owner = OWNER.get() if context is None else context.get(OWNER)
        if owner is not None:
            owner.adopt(task)
        return task

    def get_task_factory(self) -> None:
        """Tasks are asyncio's own."""

    # -- what goes wrong

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep an error that no task could take, unless the world is over."""
        if not self._closed:
            self.failures.append(context)

    def get_debug(self) -> bool:
        """There is no debug mode: it measures real time."""
        return False

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001  asyncio's own signature
        """Ignore it."""

    # -- the end

    def _note_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        owner = OWNER.get()
        (self._generators if owner is None else owner.generators)[generator] = None

    def _close_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        if not self._closed:
            self.create_task(generator.aclose())

    async def shutdown_asyncgens(self) -> None:
        """Close the generators that were left open, but those that are frozen."""
        living = [process.generators for process in self.processes if process.alive]
        for generators in (self._generators, *living):
            for generator in list(generators):
                await generator.aclose()

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  asyncio's
        """There is none."""

    def run_in_executor(self, *_: object) -> NoReturn:
        """Refuse: a thread would bring the machine's time back."""
        refuse("thread", "run_in_executor")

    # what asyncio would otherwise refuse without a word

    def add_reader(self, *_: object) -> NoReturn:
        refuse("socket", "add_reader")

    def add_writer(self, *_: object) -> NoReturn:
        refuse("socket", "add_writer")

    async def create_datagram_endpoint(self, *_: object, **__: object) -> NoReturn:
        refuse("socket", "create_datagram_endpoint")

    async def create_unix_connection(self, *_: object, **__: object) -> NoReturn:
        refuse("socket", "create_unix_connection")

    async def subprocess_exec(self, *_: object, **__: object) -> NoReturn:
        refuse("program", "subprocess_exec")

    async def subprocess_shell(self, *_: object, **__: object) -> NoReturn:
        refuse("program", "subprocess_shell")

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
