"""A question that any of several servers can answer, asked again while no answer to it begins."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from hangbot.clock import Clock
from hangbot.fleet.jetstream import Answer

__all__ = ["first_answer"]

_AGAIN_S: Final = 0.3
_MOST: Final = 6


async def first_answer(
    ask: Callable[[list[Answer]], Coroutine[Any, Any, list[Answer]]], clock: Clock
) -> list[Answer]:
    """Ask until there is an answer, or the first question ends without one, and return it.

    A server passes such a question on to any of them, by chance to one that has just fallen silent. Where
    nothing comes it is asked again; the questions before are still good for an answer: it may only be slow.

    Args:
        ask: Asks once, and adds what comes to a list as it comes.
        clock: Waits.
    """
    asked: dict[asyncio.Task[list[Answer]], list[Answer]] = {}
    try:
        while True:
            if len(asked) < _MOST and not any(asked.values()):
                came: list[Answer] = []
                asked[asyncio.create_task(ask(came), name="question to NATS")] = came
            with suppress(TimeoutError):
                ended = asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
                (done, _) = await clock.wait_for(ended, _AGAIN_S)
                return done.pop().result()
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
