from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from hangbot.bot.app_runner import AppRunner, uptime
from hangbot.bot.events import ChatMessage, RoomEvent
from hangbot.errors import OutboxFull, UnknownMessage, UsageError
from pytest_hangfm.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HELLO = ChatMessage(7, "ann", "room", "hello", 0.0)


class OurBug(Exception):
    pass


async def cancelled_itself() -> None:
    task = asyncio.create_task(asyncio.sleep(3600), name="the app's own")
    task.cancel()
    await task


async def raises(error: Exception) -> None:
    raise error


def fails_before_it_awaits() -> Awaitable[None]:
    raise OurBug("a decorator's")


async def says(_: str) -> None:
    pytest.fail("nothing is to be said")


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        pytest.param(lambda: raises(OurBug("the app's own")), "OurBug", id="a bug"),
        pytest.param(fails_before_it_awaits, "OurBug", id="a bug of a decorator"),
        pytest.param(cancelled_itself, "CancelledError", id="a task of its own that was cancelled"),
        pytest.param(lambda: raises(UnknownMessage("none")), "UnknownMessage", id="an error of ours"),
        pytest.param(lambda: raises(UsageError("empty")), "UsageError", id="a text that cannot be sent"),
    ],
)
@pytest.mark.parametrize("news", [HELLO, RoomEvent("userJoined")], ids=["message", "event"])
async def test_what_an_app_raises_is_logged_with_its_traceback_and_goes_no_further(
    news: ChatMessage | RoomEvent,
    call: Callable[[], Awaitable[None]],
    kind: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    runner = AppRunner(ManualClock(), "Hal", says, lambda _: call(), lambda _: call())

    await runner.put(news)

    (record,) = caplog.records
    assert (record.levelno, record.__dict__["action"]) == (logging.ERROR, "app_failed")
    assert record.exc_info
    assert record.exc_info[0]
    assert record.exc_info[0].__name__ == kind


async def test_an_answer_that_is_not_accepted_is_told_with_its_remedy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runner = AppRunner(ManualClock(), None, says, lambda _: raises(OutboxFull("100 messages wait")))

    await runner.put(HELLO)

    (record,) = caplog.records
    assert record.getMessage().startswith("[ERROR] the answer to message 7 is lost: 100 messages wait. Wait")
    assert record.exc_info is None


async def test_uptime_is_answered_before_the_app_and_the_rest_is_the_apps() -> None:
    clock, said, heard = ManualClock(), list[str](), list[ChatMessage | RoomEvent]()

    async def say(text: str) -> None:
        said.append(text)

    async def hear(news: ChatMessage | RoomEvent) -> None:
        heard.append(news)

    runner = AppRunner(clock, "Hal", say, hear, hear)
    await clock.advance(61)
    for news in (ChatMessage(8, "ann", "room", " /uptime\n", 0.0), HELLO, RoomEvent("userLeft")):
        await runner.put(news)

    assert said == ["Hal has been up for 1 min 1 s."]
    assert heard == [HELLO, RoomEvent("userLeft")]


async def test_without_an_app_nothing_happens() -> None:
    runner = AppRunner(ManualClock(), None, says)

    await runner.put(HELLO)
    await runner.put(RoomEvent("userLeft"))

    assert not runner.hears_events


@pytest.mark.parametrize(
    ("name", "seconds", "said"),
    [
        ("Hal", 0, "Hal has been up for 0 s."),
        ("Hal", -5, "Hal has been up for 0 s."),
        ("Hal", 59.9, "Hal has been up for 59 s."),
        ("Hal", 60, "Hal has been up for 1 min."),
        ("Hal", 3_661, "Hal has been up for 1 h 1 min 1 s."),
        ("Hal", 86_400, "Hal has been up for 1 d."),
        (None, 200_000, "This bot has been up for 2 d 7 h 33 min 20 s."),
    ],
)
def test_the_time_is_told_in_the_units_that_matter(name: str | None, seconds: float, said: str) -> None:
    assert uptime(name, seconds) == said
