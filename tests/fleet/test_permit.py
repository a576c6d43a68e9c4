"""A bot acts while it is permitted to: then nothing more leaves, and once it is again, nothing is doubled."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from hangbot.errors import ConnectionLost, Unreachable
from hangbot.factory import open_bot, open_outbox, open_room, open_subject
from hangbot.factory.clients import open_clients
from hangbot.hangfm.network import Network
from hangbot.hangfm.permit import ALWAYS, Permit
from hangbot.preflight import examine
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hangbot.bot.bot import Bot
    from hangbot.config import Settings
    from hangbot.sandbox import Sandbox


class Right:
    """What a test gives and takes."""

    def __init__(self) -> None:
        self.held = True
        self.permit = Permit(self._look)
        self._looks: asyncio.Queue[bool] = asyncio.Queue()

    def _look(self) -> bool:
        self._looks.put_nowait(self.held)
        return self.held

    def take(self) -> None:
        self.held = False
        self.permit.withdraw()

    async def refused_times(self, number: int) -> None:
        """Wait until so many looks have found that it is not held."""
        async with asyncio.timeout(WITHIN):
            while number:
                number -= not await self._looks.get()


@asynccontextmanager
async def running(settings: Settings, right: Right) -> AsyncIterator[Bot]:
    quick = settings.with_changes(retry_base=0.05, retry_max=0.1)
    network = Network(permit=right.permit)
    async with (
        open_outbox(quick) as outbox,
        open_bot(quick, outbox, network=network) as bot,
    ):
        task = asyncio.create_task(bot.run(), name="bot")
        try:
            await asyncio.wait_for(bot.ready(), WITHIN)
            yield bot
        finally:
            bot.stop()
            await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), WITHIN)


def acts(sandbox: Sandbox, since: int = 0) -> list[str]:
    """What came to the services that changes anything."""
    found: list[str] = []
    for event in sandbox.journal.events(since=since, dir="in"):
        if event["kind"] == "http" and event["method"] not in {"GET", "HEAD"}:
            found.append(f"{event['method']} {event['path']}")
        elif event["kind"] == "frame" and '"event": "action"' in event["frame"]:
            found.append(event["frame"])
    return found


def texts(sandbox: Sandbox) -> list[str]:
    return [row["data"]["text"] for row in sandbox.messages]


def is_send(event: dict[str, Any]) -> bool:
    return bool(event["kind"] == "http" and event["method"] == "POST" and event["path"].endswith("/messages"))


def is_read(event: dict[str, Any]) -> bool:
    return bool(event["kind"] == "http" and event["method"] == "GET" and "messages" in event["path"])


async def test_nothing_leaves_while_it_is_taken_and_all_goes_on_once_when_it_is_back(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    right = Right()
    async with running(hangfm_settings, right) as bot:
        await bot.say("one", key="m-1")
        await bot.settled("m-1")
        right.take()
        since = hangfm_sandbox.journal.last_n

        await bot.say("two", key="m-2")
        await bot.say("three", key="m-3")
        acted = await bot.act("playOneTimeAnimation", animation="jump")
        await right.refused_times(5)
        left = acts(hangfm_sandbox, since)
        right.held = True
        ends = [await asyncio.wait_for(bot.settled(key), WITHIN) for key in ("m-2", "m-3")]

        assert left == []
        assert texts(hangfm_sandbox) == ["one", "two", "three"]
        assert [end.attempts for end in ends] == [1, 1]
        assert (acted.state, acted.attempts) == ("failed", 1)
        assert "another worker" in acted.reason
        assert (await bot.act("playOneTimeAnimation", animation="jump")).state == "delivered"


async def test_a_send_on_its_way_is_given_up_and_asked_about_before_it_is_sent_again(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    right = Right()
    async with running(hangfm_settings, right) as bot:
        hangfm_sandbox.faults.add("chat.send", "delay", ms=60_000)
        await bot.say("one", key="m-1")
        await hangfm_sandbox.journal.wait_for(is_send, within=WITHIN)
        since = hangfm_sandbox.journal.last_n

        right.take()
        await hangfm_sandbox.journal.wait_for(is_read, since=since, within=WITHIN)
        left = acts(hangfm_sandbox, since)
        right.held = True
        end = await asyncio.wait_for(bot.settled("m-1"), WITHIN)

        assert left == []
        assert end.state == "delivered"
        assert texts(hangfm_sandbox) == ["one"]


async def test_a_request_whose_connection_is_made_too_late_stays_here(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    """As after a SIGSTOP between the first look and the sending."""
    looks = iter([True, False])
    network = Network(permit=Permit(lambda: next(looks)))
    async with open_clients(hangfm_settings, network=network) as clients:
        await clients.chat.me()
        since = hangfm_sandbox.journal.last_n

        with pytest.raises(Unreachable):
            await clients.chat.call("POST", "/messages", what="a message", body={"text": "late"})

    assert acts(hangfm_sandbox, since) == []
    assert texts(hangfm_sandbox) == []


async def test_an_act_is_given_up_when_the_permit_is_withdrawn_and_only_then() -> None:
    right, waits = Right(), asyncio.Event()

    async def act() -> str:
        await waits.wait()
        return "done"

    first = asyncio.create_task(right.permit.run(act(), "the first", service="chat"))
    always = asyncio.create_task(ALWAYS.run(act(), "the second", service="chat"))
    await asyncio.sleep(0)
    right.take()
    ALWAYS.withdraw()
    with pytest.raises(ConnectionLost, match="the first was given up"):
        await first
    waits.set()

    assert await always == "done"
    assert await right.permit.run(act(), "the third", service="chat") == "done"


async def test_a_time_out_of_the_act_itself_stays_one() -> None:
    async def act() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await Right().permit.run(act(), "it", service="chat")


async def test_checks_do_nothing_in_the_room_either(
    hangfm_settings: Settings, hangfm_sandbox: Sandbox
) -> None:
    network = Network(permit=Permit(lambda: False))

    async with open_subject(hangfm_settings, network=network) as context:
        verdicts = {result.verdict async for result in examine(context)}

    assert "rejected" not in verdicts
    assert not hangfm_sandbox.journal.events(dir="in", kind="http", method="POST")
    assert not hangfm_sandbox.journal.events(service="room", dir="in", kind="frame")


async def test_a_room_that_is_only_looked_at_is_joined_by_permission(
    hangfm_settings: Settings, hangfm_sandbox: Sandbox
) -> None:
    right = Right()

    async with open_room(hangfm_settings, network=Network(permit=right.permit)) as room:
        right.take()
        with pytest.raises(Unreachable, match="joinRoom was not sent"):
            await room.join()

    assert not hangfm_sandbox.journal.events(service="room", dir="in", kind="frame")
