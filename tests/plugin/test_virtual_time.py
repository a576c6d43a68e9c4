import asyncio
import threading
import time

import pytest

from hangbot import Outgoing
from hangbot.sandbox import Sandbox
from pytest_hangfm import AckRecorder, OpenCourier
from tests.bounds import WITHIN


@pytest.mark.virtual_time
async def test_a_day_takes_no_time() -> None:
    started, real = asyncio.get_running_loop().time(), time.monotonic()

    await asyncio.sleep(86_400)

    assert asyncio.get_running_loop().time() - started >= 86_400
    assert time.monotonic() - real < WITHIN


@pytest.mark.virtual_time
async def test_a_back_off_of_half_a_minute_takes_no_time_over_real_sockets(
    hangfm_sandbox: Sandbox, hangfm_open_courier: OpenCourier, hangfm_acks: AckRecorder
) -> None:
    hangfm_sandbox.faults.add("chat.send", "cut_before_store", times=2)
    courier = await hangfm_open_courier(retry_base=30.0, retry_max=60.0, retry_strategy="seed")

    await courier.deliver(Outgoing("m-1", hangfm_sandbox.room_uuid, "hello"))

    hangfm_acks.assert_delivered("m-1", tier=2, attempts=3)
    assert sum(hangfm_acks.waits("m-1")) >= 90


@pytest.mark.virtual_time
@pytest.mark.usefixtures("hangfm_outbox", "hangfm_bot")
async def test_no_thread_writes_to_disk_while_the_clock_could_jump_over_it() -> None:
    assert [thread.name for thread in threading.enumerate() if "outbox" in thread.name] == []


async def test_without_the_marker_time_is_real() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)
