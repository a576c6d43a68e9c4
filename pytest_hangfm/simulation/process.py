"""A simulated operating-system process: all that it begins belongs to it, and a crash ends that at once."""

import asyncio
import contextvars
import logging
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, Final, Literal, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["OWNER", "Process", "current_process", "is_alive"]

T = TypeVar("T")
Coro = Generator[Any, None, T] | Coroutine[Any, Any, T]
When = Literal["before", "after"]

_ROUNDS: Final = 100
"""So often an await in a ``finally``, or a task begun there, is closed as well."""


class Process:
    """One incarnation of a program, in a loop that may have several.

    Tasks, callbacks, timers and transports belong to the process in whose context they begin; what begins
    outside of any is the world's.

    Args:
        name: What it is called in a story.
        loop: Runs it; `SimulatedLoop.start_process` makes one.

    Attributes:
        name: As above.
        alive: Whether it runs. A process that is not alive runs no callback, sends and writes nothing.
        paused: Whether it stands still, as after a SIGSTOP; see `SimulatedLoop.pause`.
        steps: Callbacks of it that were run.
        crashed: Done when it crashes; to be awaited by the world, beside the task that it runs.
    """

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        self.steps = 0
        self.crashed: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._context = contextvars.copy_context()
        self._context.run(OWNER.set, self)
        self._tasks: list[asyncio.Task[Any]] = []
        self._prune_at = 64
        self._frozen: list[object] = []
        self._at_crash: dict[Callable[[], object], None] = {}
        self._last_step: int | None = None
        self._commits: dict[When, int] = {}
        self.generators: WeakKeyDictionary[AsyncGenerator[Any, Any], None] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"<Process {self.name}{'' if self.alive else ', crashed'}>"

    def run(self, coro: Coro[T], *, name: str | None = None) -> asyncio.Task[T]:
        """Run a coroutine as a part of it."""
        return self._loop.create_task(coro, name=name or self.name, context=self.context())

    def context(self) -> contextvars.Context:
        """Return a context in which all that begins is of this process."""
        return self._context.copy()

    # -- the crash

    def crash(self) -> None:
        """End it where it stands.

        Its callbacks are kept and never run: no ``finally``, no ``except``. What the system takes back is
        taken back: see `at_crash`. A callback of its own that is running now comes to its next ``await``,
        without an effect on the outside.
        """
        if not self.alive:
            return
        self.alive = False
        for task in self._tasks:
            self._hide(task)
        while self._at_crash:
            take_back, _ = self._at_crash.popitem()
            contextvars.Context().run(take_back)
        self.crashed.set_result(None)

    def crash_at_step(self, n: int) -> None:
        """Crash before the ``n``-th callback from now on; each ``await`` of it is such a point."""
        self._last_step = self.steps + n

    def crash_at_commit(self, n: int, when: When) -> None:
        """Crash before, or after, its ``n``-th commit to the disk from now on."""
        self._commits[when] = n

    def at_crash(self, take_back: Callable[[], object]) -> None:
        """Have something called when it crashes, outside of it: what the system does for it, newest first."""
        self._at_crash[take_back] = None

    def forget(self, take_back: Callable[[], object]) -> None:
        """Call that no more: it was given back."""
        self._at_crash.pop(take_back, None)

    # -- for the loop and the disk

    def begin_step(self) -> bool:
        """Count a callback that is about to run, and return whether it may."""
        if self.alive and not self.paused:
            self.steps += 1
            if self.steps != self._last_step:
                return True
            self.crash()
        return False

    def reach_commit(self, when: When) -> bool:
        """Count a commit that is about to happen, or has happened, and return whether it lives on."""
        if self.alive and when in self._commits:
            self._commits[when] -= 1
            if self._commits[when] <= 0:
                del self._commits[when]
                self.crash()
        return self.alive

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Hold a task, so that nothing of it ends by garbage collection once it is frozen."""
        if len(self._tasks) >= self._prune_at:
            self._tasks = [each for each in self._tasks if not each.done()]
            self._prune_at = 2 * len(self._tasks) + 64
        self._tasks.append(task)
        if not self.alive:
            self._hide(task)

    def freeze(self, handle: object) -> None:
        """Keep what must not run any more, or not yet."""
        self._frozen.append(handle)

    def thaw(self) -> list[object]:
        """Let it go on after a pause, and return what was to run meanwhile."""
        self.paused = False
        frozen, self._frozen = self._frozen, []
        return frozen

    def dispose(self) -> None:
        """Close what is frozen, once the world is over.

        Python frees no coroutine without running its ``finally``. By now that has no effect: the loop is
        closed, and so is what the process had open.
        """
        self.alive = False
        disabled, unraisable = logging.root.manager.disable, sys.unraisablehook
        logging.disable()
        sys.unraisablehook = lambda _: None  # what is closed inside of a coroutine raises there, likewise
        try:
            for _ in range(_ROUNDS):
                tasks, self._tasks = self._tasks, []
                for task in tasks:
                    if not task.done():
                        self.context().run(_close, task.get_coro())
                if not tasks:
                    break
        finally:
            logging.disable(disabled)
            sys.unraisablehook = unraisable
        self._frozen.clear()
        self._at_crash.clear()

    def _hide(self, task: asyncio.Task[Any]) -> None:
        """Take a task out of those that a runner cancels and awaits at its end."""
        if not task.done():
            asyncio._unregister_task(task)  # noqa: SLF001  documented for those who write a loop


OWNER: Final[contextvars.ContextVar[Process | None]] = contextvars.ContextVar("hangfm_process", default=None)
"""To which process belongs what runs in a context; ``None``: to the world."""


def current_process() -> Process | None:
    """Return the process whose code runs now; ``None``: the world's."""
    return OWNER.get()


def is_alive(_record: object = None) -> bool:
    """Return whether the code that runs now is that of a living process, or the world's.

    As a filter of a log handler it drops what a crashed process writes.
    """
    process = OWNER.get()
    return process is None or process.alive


def _close(coro: Any) -> None:  # noqa: ANN401  a coroutine, or what else a task was given
    for _ in range(_ROUNDS):
        try:
            coro.close()
        except RuntimeError:  # it awaits in a `finally`, or has failed there: the next one says which
            continue
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # noqa: BLE001  the world is over; a task group makes a group of its `GeneratorExit`
            return
        return
