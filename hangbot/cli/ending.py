"""The end of the process, though the author's app leaves tasks or threads that do not end.

`asyncio.run` would wait for them for ever, and so would the interpreter.
"""

import asyncio
import logging
import os
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from hangbot.clock import SystemClock

__all__ = ["end_if_stuck", "run_to_end"]

logger = logging.getLogger(__name__)

_WITHIN: Final = 1.0
"""Seconds that tasks and threads have to end."""

_stuck: list[str] = []


def run_to_end(main: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine as `asyncio.run` does, and return though what it started does not end."""
    runner = asyncio.Runner()
    try:
        return runner.run(_with_bounds(main))
    finally:
        if not _stuck:
            runner.close()


def end_if_stuck(code: int) -> None:
    """End the process at once where something would keep it from its end; everything is written by now."""
    if _stuck:
        os._exit(code)


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
