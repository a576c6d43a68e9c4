import asyncio

import pytest

from hangbot.clock import SystemClock
from hangbot.config.cluster import parse_address
from hangbot.fleet.nats_session import Session
from hangbot.fleet.pending import PendingAnswers
from hangbot.fleet.servers import Servers
from tests.bounds import WITHIN
from tests.fleet.forwarder import Forwarder
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


async def test_an_answer_that_comes_too_late_is_no_error(
    servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    way, address = Forwarder("127.0.0.1", servers.ports[0].client), parse_address(servers.address)
    await way.open()
    session = Session(way.address, PendingAnswers(), SystemClock())
    try:
        await session.connect(address, "a test")
        way.cut()
        silent = await session.answers()

        await way.mend()

        async with asyncio.timeout(WITHIN):
            while not await session.answers():
                pass
    finally:
        await session.close()
        await way.close()
    assert not silent
    assert not [record for record in caplog.records if record.name.startswith("nats")]


async def test_who_asks_whether_a_server_answers_outlives_the_connection(servers: Servers) -> None:
    way, address = Forwarder("127.0.0.1", servers.ports[0].client), parse_address(servers.address)
    await way.open()
    session = Session(way.address, PendingAnswers(), SystemClock())
    await session.connect(address, "a test")
    way.cut()
    asking = asyncio.create_task(session.answers())
    for _ in range(10):  # until the ping is on its way
        await asyncio.sleep(0)

    await session.close()

    assert not await asking
    await way.close()
