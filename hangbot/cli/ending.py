"""The end of the process is the operator's to ask for: an author's app neither delays it nor brings it.

`asyncio.run` would wait for ever for tasks and threads that do not end, and so would the interpreter; and it
ends at once where `sys.exit` is called in a task, with an exit code that says something else here.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from hangbot.cli import early_signals
from hangbot.clock import SystemClock

__all__ = ["end_if_stuck", "run_to_end"]

logger = logging.getLogger(__name__)

_WITHIN: Final = 1.0
"""Seconds that tasks and threads have to end."""

_stuck: list[str] = []


def run_to_end(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run a coroutine as `asyncio.run` does; return when it ends, not before, and though its tasks do not.

    Args:
        main: Makes it; it is to handle signals at once, since until then they are only remembered.
    """
    early_signals.hold()
    runner = asyncio.Runner()
    try:
        loop = runner.get_loop()
        whole = loop.create_task(_with_bounds(main()), name="hangbot-main")
        while not whole.done():
            _run_until_done(loop, whole)
        return whole.result()
    finally:
        if not _stuck:
            runner.close()


def end_if_stuck(code: int) -> None:
    """End the process at once where something would keep it from its end; everything is written by now."""
    if _stuck:
        os._exit(code)


def _run_until_done(loop: asyncio.AbstractEventLoop, whole: asyncio.Task[int]) -> None:
    """Run a task; return early, and say so, where something of the app stops the loop."""
    try:
        loop.run_until_complete(whole)
    except (KeyboardInterrupt, SystemExit) as exc:
        if whole.done():
            raise
        _log_stopped(f"{type(exc).__name__} in a task or callback", exc)
    except RuntimeError:
        if whole.done():
            raise
        _log_stopped("`loop.stop()`")


def _log_stopped(how: str, error: BaseException | None = None) -> None:
    logger.error(
        "[ERROR] the app stopped the event loop (%s), and the bot runs on. "
        "Have it call `bot.stop()` where the bot is to end",
        how,
        exc_info=error,
        extra={"action": "app_failed", "about": "the event loop"},
    )


async def _with_bounds(main: Coroutine[Any, Any, int]) -> int:
    try:
        return await main
    finally:
        _stuck.extend([*await _tasks_left(), *await _threads_left()])
        if _stuck:
            more = {"action": "app_abandoned", "left": list(_stuck)}
            names = ", ".join(_stuck)
            logger.error("[ERROR] the app leaves what does not end (%s): left alone", names, extra=more)


async def _tasks_left() -> list[str]:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    return sorted(task.get_name() for task in await _late(tasks))


async def _threads_left() -> list[str]:
    closing = asyncio.create_task(
        asyncio.get_running_loop().shutdown_default_executor(), name="threads of asyncio.to_thread"
    )
    return [task.get_name() for task in await _late({closing})]


async def _late(tasks: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Return the tasks that do not end in time."""
    if tasks:
        with suppress(TimeoutError):
            await SystemClock().wait_for(asyncio.wait(tasks), _WITHIN)
    return {task for task in tasks if not task.done()}
