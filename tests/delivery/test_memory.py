"""An outbox in memory: the same statements, and nothing that stays."""

import pytest

from hangbot.delivery.memory import OutboxInMemory
from hangbot.delivery.outbox import Outbox
from hangbot.errors import OutboxUnusable, UsageError
from pytest_hangfm import ManualClock
from tests.delivery.builders import message


async def opened(clock: ManualClock) -> Outbox:
    box = Outbox(OutboxInMemory(clock))
    await box.open(check=True)
    return box


async def test_what_it_accepts_is_there_until_it_is_closed(hangfm_clock: ManualClock) -> None:
    box, other = await opened(hangfm_clock), await opened(hangfm_clock)

    await box.put([message("m-1")], now=1.0)

    assert [row.message.id for row in await box.rows()] == ["m-1"]
    assert await other.rows() == []
    await box.close()
    with pytest.raises(OutboxUnusable, match="is closed"):
        await box.rows()
    await other.close()
    await other.close()


async def test_it_refuses_what_a_file_would(hangfm_clock: ManualClock) -> None:
    box = await opened(hangfm_clock)
    await box.put([message("m-1")], now=1.0)

    with pytest.raises(UsageError, match="was used for another message"):
        await box.put([message("m-1", text="another")], now=2.0)

    assert [row.message.text for row in await box.rows()] == ["hi"]
    await box.close()


async def test_no_other_process_changes_it(hangfm_clock: ManualClock) -> None:
    box = await opened(hangfm_clock)
    before = await box.place.look()

    await box.put([message("m-1")], now=1.0)
    await box.place.probe()
    with box.place.noticing(lambda: pytest.fail("something was noticed")):
        await box.place.leave_lost()

    assert await box.place.look() == before
    assert before[1] is None
    await box.close()
