"""A process with very many queued messages: ``python -m bench.queued OUTBOX``.

``fill`` accepts them; ``start`` is a bot's start with them, up to the first send.
"""

import asyncio
import functools
import sys
import time
from pathlib import Path
from typing import Any, Final

from bench import usage
from bench.accepting import TEXT, Idle, idle_settings, write_all
from bench.lines import answer_lines
from hangbot.delivery.courier import Courier
from hangbot.delivery.message import Outgoing
from hangbot.factory import make_courier, open_outbox

_LOOKING: Final = 1.0
"""Seconds to go on after the first send, so that whatever loads the queue has done so."""
_PATIENCE: Final = 60.0
_FILL_WITHIN: Final = 60.0
_STEP: Final = 2_000


class _Stuck:
    """A transport that never answers: the queue stays as long as it is."""

    def __init__(self) -> None:
        self.first = asyncio.Event()

    async def send(self, _: Outgoing) -> object:
        """Never answer."""
        self.first.set()
        return await asyncio.get_running_loop().create_future()

    async def find(self, message: Outgoing) -> bool:
        """Never answer either: what an earlier start sent is asked about first."""
        await self.send(message)
        return False

    async def probe(self) -> None:
        """Answer: only messages are stuck."""


async def _fill(outbox: Path, number: int) -> dict[str, Any]:
    settings = idle_settings(outbox)
    before = usage.resident_mb()
    async with open_outbox(settings) as box:
        courier = make_courier(settings, box, Idle())
        started, queued = time.perf_counter(), 0
        while queued < number and time.perf_counter() - started < _FILL_WITHIN:
            some = min(_STEP, number - queued)
            await write_all(functools.partial(_accept, courier, queued), some, 64)
            queued += some
        rate = queued / (time.perf_counter() - started)
        return {"queued": queued, "rate": rate, "before_mb": before, "resident_mb": usage.resident_mb()}


async def _accept(courier: Courier, first: int, at: int) -> None:
    number = first + at
    await courier.accept(Outgoing(f"m{number}", f"r{number % 64}", TEXT))


async def _start(outbox: Path) -> dict[str, Any]:
    settings, transport = idle_settings(outbox), _Stuck()
    started = time.perf_counter()
    async with open_outbox(settings) as box:
        courier = make_courier(settings, box, transport)
        running = asyncio.create_task(courier.run(), name="bench-courier")
        async with asyncio.timeout(_PATIENCE):
            await transport.first.wait()
        seconds = time.perf_counter() - started
        await asyncio.sleep(_LOOKING)
        memory = {"resident_mb": usage.resident_mb(), "peak_mb": usage.peak_mb()}
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return {"seconds": seconds, **memory}


async def _main(outbox: Path) -> None:
    async def handle(request: dict[str, Any]) -> object:
        return await (_fill(outbox, request["fill"]) if "fill" in request else _start(outbox))

    await answer_lines(handle)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
