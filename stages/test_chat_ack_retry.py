"""ACK and retry over the chat: a message is delivered once or reported, never lost, never doubled.

What needs no fault runs against any server, and deletes there what it said; the rest says that it needs
the sandbox.
"""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from hangbot import ChatClient, Courier, Outbox, Outgoing, Settings
from hangbot.sandbox import Sandbox
from pytest_hangfm import AckRecorder, ManualClock, OpenCourier

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.stage,
    pytest.mark.remedy(
        "Read the deliveries below; `hangbot outbox list --failed` shows those of a real bot."
    ),
]

AN_HOUR = 3_600_000
"""Milliseconds until the sandbox answers where it answers too late."""


@pytest.fixture
def message(hangfm_settings: Settings) -> Outgoing:
    return Outgoing(uuid4().hex, hangfm_settings.chat_receiver, "a stage test of hangbot says hello")


def stored(sandbox: Sandbox, message: Outgoing) -> int:
    return sum(row.get("muid") == message.id for row in sandbox.messages)


async def test_a_message_is_acknowledged_on_the_first_attempt_and_can_be_found(
    hangfm_courier: Courier, hangfm_chat: ChatClient, hangfm_acks: AckRecorder, message: Outgoing
) -> None:
    await hangfm_courier.deliver(message)

    hangfm_acks.assert_delivered(message.id, tier=1, attempts=1)
    assert await hangfm_chat.find(message)
    assert message.id in [row.muid for row in await hangfm_chat.history(most=20)]


@pytest.mark.parametrize(
    ("fault", "story", "attempts"),
    [
        pytest.param({"do": "cut_after_store"}, ["ConnectionLost", "it arrived"], 1, id="stored-answer-lost"),
        pytest.param(
            {"do": "cut_before_store"},
            ["ConnectionLost", "it did not arrive", "acknowledged"],
            2,
            id="connection-cut",
        ),
        pytest.param(
            {"do": "status", "status": 503},
            ["Unavailable", "it did not arrive", "acknowledged"],
            2,
            id="service-in-trouble",
        ),
        pytest.param(
            {"do": "garbage"}, ["Unavailable", "it did not arrive", "acknowledged"], 2, id="unreadable-answer"
        ),
        pytest.param(
            {"do": "status", "status": 429, "headers": {"Retry-After": "0"}},
            ["RateLimited", "acknowledged"],
            2,
            id="told-to-wait",
        ),
    ],
)
async def test_one_fault_is_mended_by_asking_and_sending_again(
    *,
    hangfm_sandbox: Sandbox,
    hangfm_courier: Courier,
    hangfm_acks: AckRecorder,
    message: Outgoing,
    fault: dict[str, Any],
    story: list[str],
    attempts: int,
) -> None:
    hangfm_sandbox.faults.add("chat.send", **fault)

    await hangfm_courier.deliver(message)

    hangfm_acks.assert_delivered(message.id, tier=2, attempts=attempts)
    assert hangfm_acks.story(message.id) == story
    assert stored(hangfm_sandbox, message) == 1


@pytest.mark.parametrize(
    ("fault", "story", "attempts"),
    [
        pytest.param({"do": "hang"}, ["AckTimeout", "it did not arrive", "acknowledged"], 2, id="no-answer"),
        pytest.param({"do": "delay", "ms": AN_HOUR}, ["AckTimeout", "it arrived"], 1, id="answer-too-late"),
    ],
)
async def test_what_is_not_acknowledged_in_time_is_asked_about(
    *,
    hangfm_sandbox: Sandbox,
    hangfm_open_courier: OpenCourier,
    hangfm_clock: ManualClock,
    hangfm_acks: AckRecorder,
    message: Outgoing,
    fault: dict[str, Any],
    story: list[str],
    attempts: int,
) -> None:
    hangfm_clock.auto = True
    courier = await hangfm_open_courier(clock=hangfm_clock, ack_timeout=10.0)
    armed = hangfm_sandbox.faults.add("chat.send", **fault)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(courier.deliver(message), name="delivering")
        await hangfm_sandbox.journal.wait_for(lambda event: event.get("fault") == armed.id)
        await hangfm_clock.advance(10.0)

    hangfm_acks.assert_delivered(message.id, tier=2, attempts=attempts)
    assert hangfm_acks.story(message.id) == story
    assert stored(hangfm_sandbox, message) == 1


async def test_two_faults_take_three_attempts(
    hangfm_sandbox: Sandbox, hangfm_courier: Courier, hangfm_acks: AckRecorder, message: Outgoing
) -> None:
    hangfm_sandbox.faults.add("chat.send", "cut_before_store", times=2)

    await hangfm_courier.deliver(message)

    hangfm_acks.assert_delivered(message.id, tier=2, attempts=3)
    assert stored(hangfm_sandbox, message) == 1


async def test_a_service_in_trouble_for_good_ends_in_the_failed_list(
    hangfm_sandbox: Sandbox,
    hangfm_courier: Courier,
    hangfm_outbox: Outbox,
    hangfm_acks: AckRecorder,
    message: Outgoing,
) -> None:
    hangfm_sandbox.faults.add("chat.send", "status", status=503, times=0)

    await hangfm_courier.deliver(message)

    hangfm_acks.assert_failed(message.id, attempts=3, reason="given up after 3 attempts")
    assert [row.message.id for row in await hangfm_outbox.rows(["failed"])] == [message.id]
    assert stored(hangfm_sandbox, message) == 0


async def test_a_failed_message_is_retried_by_hand_under_its_own_id(
    hangfm_sandbox: Sandbox,
    hangfm_courier: Courier,
    hangfm_outbox: Outbox,
    hangfm_acks: AckRecorder,
    message: Outgoing,
) -> None:
    hangfm_sandbox.faults.add("chat.send", "status", status=503, times=3)
    await hangfm_courier.deliver(message)

    await hangfm_outbox.requeue([message.id], 0.0)
    await hangfm_courier.run_until_empty()

    hangfm_acks.assert_delivered(message.id, tier=2)
    assert stored(hangfm_sandbox, message) == 1


async def test_sent_and_nobody_can_tell_is_uncertain_neither_delivered_nor_failed(
    hangfm_sandbox: Sandbox, hangfm_courier: Courier, hangfm_acks: AckRecorder, message: Outgoing
) -> None:
    out = {"error": {"code": "ERR_FORBIDDEN", "message": "You are banned from this group."}}
    hangfm_sandbox.faults.add("chat.send", "cut_after_store")
    hangfm_sandbox.faults.add("chat.lookup", "status", status=403, times=0, body=out)
    hangfm_sandbox.faults.add("chat.join", "status", status=400, times=0, body=out)

    await hangfm_courier.deliver(message)

    hangfm_acks.assert_uncertain(message.id, attempts=1)
    assert stored(hangfm_sandbox, message) == 1


async def test_a_dead_chat_token_is_exchanged_within_the_same_attempt(
    hangfm_sandbox: Sandbox, hangfm_courier: Courier, hangfm_acks: AckRecorder, message: Outgoing
) -> None:
    dead = {"error": {"code": "AUTH_ERR_AUTH_TOKEN_NOT_FOUND", "message": "The auth token is not found."}}
    hangfm_sandbox.faults.add("chat.send", "status", status=401, body=dead)

    await hangfm_courier.deliver(message)

    hangfm_acks.assert_delivered(message.id, tier=1, attempts=1)
    assert stored(hangfm_sandbox, message) == 1


async def test_the_same_message_accepted_twice_is_sent_once(
    hangfm_courier: Courier, hangfm_chat: ChatClient, message: Outgoing
) -> None:
    first = await hangfm_courier.deliver(message)
    second = await hangfm_courier.deliver(message)

    assert (first.state, second.state) == ("delivered", "delivered")
    assert [row.muid for row in await hangfm_chat.history(most=100)].count(message.id) == 1
