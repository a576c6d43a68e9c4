"""Of a connection of one bot among several, no more is read than leaves the others their time."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import pytest

from hangbot.cli import one_bot
from hangbot.cli.one_bot import Start, run_one
from hangbot.config import Settings
from hangbot.hangfm.network import NETWORK, Network
from hangbot.hangfm.socket import Connection
from pytest_hangfm.manual_clock import ManualClock


@dataclass
class Flood:
    """A connection on which the next frame is there at once."""

    frame: str = "x"
    sent: list[str] = field(default_factory=list)
    closed: bool = False

    async def recv(self) -> str:
        return self.frame

    async def send(self, message: str) -> None:
        self.sent.append(message)

    async def ping(self) -> Awaitable[float]:
        return asyncio.sleep(0, 0.25)

    async def close(self) -> None:
        self.closed = True


async def opened(flood: Flood, clock: ManualClock) -> Connection:
    async def dial(url: str, *, local: bool) -> Connection:  # noqa: ARG001  as a `Dial`
        assert local
        return flood

    return await Network(dial=dial).paced(clock).dial("ws://127.0.0.1:9", local=True)


@pytest.mark.parametrize(
    ("frame", "frames", "least", "most"),
    [
        pytest.param("x", 1_000, 0.0, 0.5, id="a burst is read at once"),
        pytest.param("x", 6_000, 9.9, 10.1, id="then five hundred a second"),
        pytest.param("x" * 4_096, 3_500, 11.9, 12.1, id="a long frame counts for more"),
    ],
)
async def test_so_many_frames_are_read_a_second(frame: str, frames: int, least: float, most: float) -> None:
    clock = ManualClock(auto=True)
    connection, began = await opened(Flood(frame), clock), clock.now()

    for _ in range(frames):
        assert await connection.recv() == frame

    assert least <= clock.now() - began <= most


async def test_everything_else_has_its_turn_after_each_frame() -> None:
    connection, turns = await opened(Flood(), ManualClock()), 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    for _ in range(100):
        await connection.recv()
    beside.cancel()

    assert turns >= 100


async def test_what_is_sent_is_not_held_up() -> None:
    flood = Flood()
    connection = await opened(flood, ManualClock())

    await connection.send("hello")
    pong = await (await connection.ping())
    await connection.close()

    assert (flood.sent, pong, flood.closed) == (["hello"], 0.25, True)


@pytest.mark.parametrize("name", [None, "lounge"])
async def test_a_bot_that_has_its_process_for_itself_reads_as_fast_as_it_can(
    hangfm_settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    class Seen(Exception):
        """What the bot would have been opened with."""

    def open_bot(*_: object, network: Network, **__: object) -> None:
        raise Seen(network.dial is NETWORK.dial)

    monkeypatch.setattr(one_bot, "open_bot", open_bot)
    not_reached: Any = None
    start = Start(hangfm_settings, not_reached, None, not_reached, name=name)

    with pytest.raises(Seen) as seen:
        await run_one(start)

    assert seen.value.args == (name is None,)
