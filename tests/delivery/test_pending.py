import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hangbot.delivery.outbox import Outbox
from hangbot.delivery.pending import PendingSettlements
from hangbot.delivery.record import Settlement
from hangbot.errors import HangbotError, UnknownMessage
from tests.delivery.builders import DELIVERED, message, opened


@pytest_asyncio.fixture
async def outbox(path: Path) -> AsyncIterator[Outbox]:
    async with opened(path) as box:
        await box.put([message("m")], 0.0)
        await box.put([message("n")], 0.0)
        yield box


@pytest.fixture
def pending(outbox: Outbox) -> PendingSettlements:
    return PendingSettlements(outbox)


async def begin(pending: PendingSettlements, key: str) -> asyncio.Task[Settlement]:
    """Begin to wait for a message that was accepted here: the disk is not asked."""
    pending.watch(key)
    waiting = asyncio.create_task(pending.settled(key), name=f"wait for {key}")
    await asyncio.sleep(0)  # one turn: it waits
    return waiting


async def test_all_that_wait_and_a_late_one_are_told(pending: PendingSettlements, outbox: Outbox) -> None:
    waiting = [await begin(pending, key) for key in ("m", "m", "n")]
    hasty = await begin(pending, "m")

    hasty.cancel()  # which disturbs none of the others
    pending.resolve("m", DELIVERED)
    await outbox.settle("m", DELIVERED, [], 1.0)

    assert await asyncio.gather(*waiting[:2]) == [DELIVERED, DELIVERED]
    assert await pending.settled("m") == DELIVERED
    assert not waiting[2].done()
    pending.resolve("n", DELIVERED)
    assert await waiting[2] == DELIVERED
    await asyncio.wait([hasty])
    assert hasty.cancelled()


async def test_what_another_process_has_ended_is_found_by_a_refresh_and_what_is_unknown_is_passed_over(
    pending: PendingSettlements, outbox: Outbox
) -> None:
    ghost, dropped, still_open = [await begin(pending, key) for key in ("ghost", "m", "n")]
    await outbox.drop(["m"], 5.0)

    await pending.refresh()

    assert (await dropped).state == "dropped"
    assert [still_open.done(), ghost.done()] == [False, False]
    for task in (ghost, still_open):
        task.cancel()
    await asyncio.wait([ghost, still_open])


async def test_waiting_for_an_unknown_message_is_an_error(pending: PendingSettlements) -> None:
    with pytest.raises(UnknownMessage, match="ghost"):
        await pending.settled("ghost")


async def test_at_the_end_who_waits_is_sent_away_and_who_comes_then_too(pending: PendingSettlements) -> None:
    waiting = await begin(pending, "m")

    pending.close()

    for late in (waiting, await begin(pending, "n")):
        with pytest.raises(HangbotError, match="it waits in the outbox"):
            await late


async def test_after_a_new_beginning_what_waits_is_told_even_at_its_end(pending: PendingSettlements) -> None:
    pending.close()
    pending.open()
    waiting = await begin(pending, "m")

    pending.resolve("m", DELIVERED)
    pending.close()

    assert await waiting == DELIVERED


async def test_who_learns_the_end_from_the_disk_leaves_no_error_behind(
    pending: PendingSettlements, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    await outbox.drop(["m"], 1.0)
    waiting = asyncio.create_task(pending.settled("m"), name="wait for m")
    await asyncio.sleep(0)  # one turn: it has asked the one thread

    pending.close()
    end = await waiting
    del waiting
    gc.collect()

    assert end.state == "dropped"
    assert caplog.messages == []
