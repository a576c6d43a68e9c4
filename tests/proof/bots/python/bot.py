"""A room bot in Python on no library for Hang.fm: it answers /ping and likes each song.

Without a fault (``FAULT``) it is sound in every point that the proof knows.
"""

import asyncio
import contextlib
import signal
import sys
from typing import Final

from tests.proof.bots.python import faults
from tests.proof.bots.python.chat import Chat
from tests.proof.bots.python.common import PORT, Over, tell
from tests.proof.bots.python.room import Room
from tests.proof.bots.python.web import serve_health

_DRAINS_WITHIN: Final = 5.0


async def main() -> int:
    """Run until a signal or a reason to end, and return the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    chat = Chat()
    room = Room(chat.requeue)
    page = await serve_health(PORT, lambda: room.is_joined and chat.is_well)
    parts = [asyncio.create_task(part) for part in (room.run(), chat.read(), chat.send())]
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([*parts, stopped], return_when=asyncio.FIRST_COMPLETED)
    code = _code_of(parts)
    if stop.is_set():
        chat.stops_reading = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAINS_WITHIN):
                while chat.outbox.lines and chat.is_well:  # noqa: ASYNC110  the outbox has no event for its end
                    await asyncio.sleep(0.05)
    for task in (*parts, stopped):
        task.cancel()
    await asyncio.gather(*parts, stopped, return_exceptions=True)
    page.close()
    tell("ended")
    return code


def _code_of(parts: list[asyncio.Task[None]]) -> int:
    for part in parts:
        if part.done() and (error := part.exception()):
            tell(f"ending: {error}" if isinstance(error, Over) else f"ending: {type(error).__name__}")
            return error.code if isinstance(error, Over) else 1
    return 0


if __name__ == "__main__":
    faults.check()
    sys.exit(asyncio.run(main()))
