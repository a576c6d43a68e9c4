"""The simulated loop keeps asyncio's promises; only time and the network are its own."""

import asyncio

import pytest

from pytest_hangfm.simulation.loop import SimulatedLoop
from tests.simulation.worlds import connect, echo, listen, no_linger, run


def test_an_hour_passes_at_once_and_timers_run_in_order() -> None:
    async def main(_: SimulatedLoop) -> list[tuple[float, str]]:
        loop, seen = asyncio.get_running_loop(), list[tuple[float, str]]()

        async def wait(seconds: float, name: str) -> None:
            await asyncio.sleep(seconds)
            seen.append((round(loop.time(), 3), name))

        async with asyncio.TaskGroup() as tasks:
            for seconds, name in ((3600.0, "late"), (5.0, "first"), (5.0, "second")):
                tasks.create_task(wait(seconds, name))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10.0):
                await loop.create_future()
        seen.append((round(loop.time(), 3), "timed out"))
        return seen

    seen, _ = run(main)

    assert seen == [(5.0, "first"), (5.0, "second"), (3600.0, "late"), (3610.0, "timed out")]


def test_a_wait_that_nothing_can_end_is_an_error() -> None:
    async def main(_: SimulatedLoop) -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="nothing is left to happen"):
        run(main)


def test_an_error_that_no_task_takes_is_kept() -> None:
    async def main(_: SimulatedLoop) -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 // 0)
        await asyncio.sleep(0)

    _, loop = run(main)

    (failure,) = loop.failures
    assert isinstance(failure["exception"], ZeroDivisionError)


def test_bytes_travel_in_order_under_back_pressure_and_the_end_arrives() -> None:
    sent = bytes(range(256)) * 4096

    async def main(_: SimulatedLoop) -> bytes:
        server = await listen(echo)
        reader, writer = await connect()

        async def send() -> None:
            writer.write(sent)
            await writer.drain()
            writer.write_eof()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send())
            received = await reader.read()
        writer.close()
        await writer.wait_closed()
        server.close()
        return received

    received, loop = run(main)

    assert received == sent
    assert loop.failures == []


def test_a_reset_is_seen_and_a_closed_port_refuses() -> None:
    async def main(_: SimulatedLoop) -> None:
        accepted = asyncio.get_running_loop().create_future()

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.set_result(writer)

        server = await listen(serve)
        reader, writer = await connect()
        no_linger(await accepted)
        (await accepted).transport.abort()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        with pytest.raises(OSError, match="in use"):
            await listen(serve)
        server.close()
        with pytest.raises(ConnectionRefusedError):
            await connect()

    run(main)
