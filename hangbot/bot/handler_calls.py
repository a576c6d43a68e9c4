"""Calls of an app's handlers: each within a time limit, and none that can harm the bot.

A handler runs in a task of its own. What it raises is logged; over its limit it is cancelled; one that
does not end then is left alone, so that it holds up nothing but itself.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, Final, Literal

from hangbot.clock import Clock
from hangbot.errors import HangbotError, OutboxError, OutboxFull, OutboxUnusable
from hangbot.figures import Figures
from hangbot.journal import SILENT, Journal

__all__ = ["CallCounts", "HandlerCalls", "Outcome", "log_not_accepted"]

logger = logging.getLogger(__name__)

Outcome = Literal["returned", "raised", "timed out", "stopped"]
"""How a call ended; ``stopped``: the bot's stop cancelled it."""

_LETS_GO_WITHIN: Final = 5.0
"""Seconds that a cancelled handler has to end."""
_BLOCKS_AFTER: Final = 1.0
"""Seconds without an ``await`` in a handler that are worth a line of the log."""


@dataclass(slots=True)
class CallCounts:
    """How calls ended since the start; ``abandoned`` are those over the limit that did not end then."""

    returned: int = 0
    raised: int = 0
    timed_out: int = 0
    abandoned: int = 0


class HandlerCalls:
    """Calls handlers and cancels them.

    Args:
        clock: Measures and limits.
        limit: Seconds that a call may take.
        journal: Keeps how each call ended.
        figures: Count them.
    """

    def __init__(
        self, clock: Clock, limit: float, journal: Journal = SILENT, figures: Figures | None = None
    ) -> None:
        self.limit = limit
        self.counts = CallCounts()
        self._clock = clock
        self._journal = journal
        self._figures = figures or Figures()
        self._running: dict[asyncio.Task[Outcome], str] = {}
        self._cancelled: set[asyncio.Task[Outcome]] = set()
        self._abandoned: set[asyncio.Task[Outcome]] = set()

    def __len__(self) -> int:
        """Return the calls that run, without those that were abandoned."""
        return len(self._running)

    async def make(
        self,
        call: Callable[[], Awaitable[object]],
        what: str,
        limit: float | None = None,
        *,
        held_up: Callable[[float], object] = lambda _: None,
    ) -> Outcome:
        """Call a handler as `_make` does, and keep how that ended in the journal."""
        outcome = await self._make(call, what, limit, held_up)
        self._journal.add("app", what, outcome)
        return outcome

    async def _make(
        self,
        call: Callable[[], Awaitable[object]],
        what: str,
        limit: float | None,
        held_up: Callable[[float], object],
    ) -> Outcome:
        """Call a handler and return how that ended; it raises nothing but its own cancellation.

        Args:
            call: Calls the handler.
            what: Given in the log: ``message 7``.
            limit: Seconds that it may take; the usual ones by default.
            held_up: Called at once with seconds for which it let nothing else run, where that is long.
        """
        limit = self.limit if limit is None else limit
        begun = self._clock.now()
        task = asyncio.create_task(self._guarded(call, what, held_up), name=f"hangbot-app-{what}")
        self._running[task] = what
        try:
            await self._clock.wait_for(asyncio.wait([task]), limit)
        except TimeoutError:
            await self._end(task, what, self._clock.now() - begun)
            return "timed out"
        finally:
            self._figures.handler_seconds.observe(self._clock.now() - begun)
            self._running.pop(task, None)
            if not task.done():  # `make` itself was cancelled, or the handler does not end
                self._abandon(task)
            elif not task.cancelled():
                task.exception()  # seen: where `make` was cancelled at the same moment, nothing asks for it
        return self._outcome(task, what)

    def stop(self) -> list[str]:
        """Cancel every call that runs, for the bot's stop; return what they were about."""
        stopped = [what for task, what in self._running.items() if not task.done()]
        for task in self._running:
            if not task.done():
                self._cancelled.add(task)
                task.cancel()
        return stopped

    async def close(self) -> None:
        """Cancel whatever still runs, and wait a moment for its end."""
        for task in self._abandoned:
            task.cancel()
        if self._abandoned:
            try:
                await self._clock.wait_for(asyncio.wait(self._abandoned), 1.0)
            except TimeoutError:
                names = ", ".join(sorted(task.get_name() for task in self._abandoned))
                logger.error(  # noqa: TRY400  the traceback would be of the wait
                    "[ERROR] handlers that ignore their cancellation still run: %s",
                    names,
                    extra={"action": "app_abandoned"},
                )

    async def _guarded(
        self, call: Callable[[], Awaitable[object]], what: str, held_up: Callable[[float], object]
    ) -> Outcome:
        """Await a handler in its own task; only a cancellation from outside and Ctrl-C leave it."""
        try:
            await _Watched(call, self._clock, what, held_up)
        except (OutboxFull, OutboxUnusable) as exc:
            log_not_accepted(f"the answer to {what}", exc)
            return "raised"
        except asyncio.CancelledError as exc:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            _log_failure(what, exc)  # the app's own, of a task that it awaited
            return "raised"
        except KeyboardInterrupt as exc:
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                raise  # Ctrl-C arrives as this; under `hangbot run` and `asyncio.run` it does not
            _log_failure(what, exc)
            return "raised"
        except BaseException as exc:  # noqa: BLE001  logged with its traceback: not even `sys.exit` in a handler stops the bot
            _log_failure(what, exc)
            return "raised"
        return "returned"

    def _outcome(self, task: asyncio.Task[Outcome], what: str) -> Outcome:
        if task in self._cancelled:
            self._cancelled.discard(task)
            task.cancelled() or task.exception()
            return "stopped"
        outcome: Outcome
        try:
            outcome = task.result()
        except asyncio.CancelledError as exc:  # it cancelled its own task
            _log_failure(what, exc)
            outcome = "raised"
        if outcome == "raised":
            self.counts.raised += 1
            self._figures.handler_failures.count("raised")
        else:
            self.counts.returned += 1
        return outcome

    async def _end(self, task: asyncio.Task[Outcome], what: str, took: float) -> None:
        """Cancel a handler that is over its limit, and wait for its end, but not for ever."""
        self.counts.timed_out += 1
        self._figures.handler_failures.count("timed out")
        logger.error(
            "[ERROR] the app's handler of %s was cancelled: it took longer than %.4g s. "
            "Have it do less, or set HANGBOT_HANDLER_TIMEOUT_MS",
            what,
            took,
            extra={"action": "app_timed_out", "about": what, "took_s": took},
        )
        task.cancel()
        try:
            await self._clock.wait_for(asyncio.wait([task]), _LETS_GO_WITHIN)
        except TimeoutError:
            self.counts.abandoned += 1
            self._figures.handler_failures.count("abandoned")
            logger.error(  # noqa: TRY400  the traceback would be of the wait
                "[ERROR] the app's handler of %s does not end, although it was cancelled %g s ago: "
                "left alone, others go on. Have it let `asyncio.CancelledError` through",
                what,
                _LETS_GO_WITHIN,
                extra={"action": "app_abandoned", "about": what},
            )

    def _abandon(self, task: asyncio.Task[Outcome]) -> None:
        task.cancel()
        self._abandoned.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Outcome]) -> None:
        self._abandoned.discard(task)
        self._cancelled.discard(task)
        if not task.cancelled():
            task.exception()  # seen, so that asyncio does not complain of it


class _Watched:
    """Makes a call, awaits it, and logs where it held up the event loop: then nothing else could run.

    Args:
        call: The call.
        clock: Measures each step.
        what: Given in the log.
        held_up: Called with how long that was.
    """

    def __init__(
        self,
        call: Callable[[], Awaitable[object]],
        clock: Clock,
        what: str,
        held_up: Callable[[float], object],
    ) -> None:
        self._steps = _awaited(call).__await__()
        self._clock = clock
        self._what = what
        self._held_up = held_up

    def __await__(self) -> Generator[Any, None, None]:
        thrown: BaseException | None = None
        while True:
            begun = self._clock.now()
            try:
                waits_for = next(self._steps) if thrown is None else self._steps.throw(thrown)
            except StopIteration:
                return
            finally:
                self._look(self._clock.now() - begun)
            thrown = None
            try:
                yield waits_for
            except BaseException as exc:  # noqa: BLE001  whatever is thrown in is the handler's to answer
                thrown = exc

    def _look(self, took: float) -> None:
        if took >= _BLOCKS_AFTER:
            self._held_up(took)
            logger.warning(
                "the app's handler of %s held up the whole bot for %.1f s. "
                "Have it await, or run what blocks by `asyncio.to_thread`",
                self._what,
                took,
                extra={"action": "app_blocks", "about": self._what, "took_s": took},
            )


async def _awaited(call: Callable[[], Awaitable[object]]) -> None:
    await call()  # a decorated handler may fail before there is anything to await


def log_not_accepted(what: str, error: OutboxError) -> None:
    """Log that something will never be said, and what to do about it."""
    more = {"action": "not_accepted", "about": what}
    logger.error("[ERROR] %s is lost: %s. %s", what, error, error.remedy, extra=more)


def _log_failure(what: str, error: BaseException) -> None:
    more = {"action": "app_failed", "about": what}
    remedy = f". {error.remedy}" if isinstance(error, HangbotError) else ""
    logger.error("[ERROR] the app failed on %s%s", what, remedy, exc_info=error, extra=more)
