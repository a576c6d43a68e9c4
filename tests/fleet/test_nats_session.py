import asyncio

import pytest

from hangbot.clock import SystemClock
from hangbot.config.cluster import parse_address
from hangbot.fleet.nats_session import Session
from hangbot.fleet.pending import PendingAnswers
from tests.fleet.pretending import pretending


async def test_connecting_can_be_cancelled_at_every_moment() -> None:
    async with pretending({"version": "2.15.1"}) as address:
        where, ticks, ended = parse_address(address), 0, False
        while not ended:
            session = Session(where.servers[0], PendingAnswers(), SystemClock())
            connecting = asyncio.create_task(session.connect(where, "test"))
            for _ in range(ticks):
                await asyncio.sleep(0)
            ended = connecting.done()

            connecting.cancel()

            if not ended:
                with pytest.raises(asyncio.CancelledError):
                    await connecting
            await session.close()
            ticks += 1
    assert ticks > 5
