from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hangbot.factory import open_subject
from hangbot.preflight import CANARY, canary_message, run_check
from tests.rng import FixedRng

if TYPE_CHECKING:
    from hangbot.config import Settings
    from hangbot.sandbox import Sandbox


@pytest.mark.parametrize("hangfm_sandbox_options", [{"dialect": "openchat"}, {"dialect": "cometchat"}])
async def test_a_canary_is_sent_found_and_deleted(hangfm_sandbox: Sandbox, hangfm_settings: Settings) -> None:
    async with open_subject(hangfm_settings) as subject:
        found = await canary_message(subject)

    assert found.message == "a message was sent, found by its id, and deleted"
    (row,) = [row for row in hangfm_sandbox.messages if row["category"] == "message"]
    assert row["muid"].startswith("canary-")
    assert row["deletedAt"]


async def test_a_canary_that_is_not_stored_is_a_loss_and_says_so(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    gone = {"error": {"code": "ERR_MESSAGE_NOT_FOUND", "message": "gone"}}
    hangfm_sandbox.faults.add("chat.lookup", "status", status=404, body=gone)

    async with open_subject(hangfm_settings) as subject:
        result = await run_check(CANARY, subject)

    assert result.verdict == "rejected"
    assert result.message.endswith("was acknowledged, and is not stored")
    assert "loses what it acknowledges" in result.remedy


async def test_a_canary_that_stays_is_warned_about(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    muid = "canary-00000000-0000-4000-8000-000000000002"  # the first id is the client's own
    found_again = {"data": {"id": "7", "muid": muid, "sentAt": 1}}
    hangfm_sandbox.faults.add("chat.send", "status", status=201, body={"data": {"no": "number"}})
    hangfm_sandbox.faults.add("chat.lookup", "status", status=200, body=found_again)

    async with open_subject(hangfm_settings, rng=FixedRng()) as subject:
        found = await canary_message(subject)

    assert found.remedy == "Delete it by hand."


async def test_a_canary_that_may_not_be_deleted_is_warned_about(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    body = {"error": {"code": "ERR_FORBIDDEN", "message": "It stays."}}
    hangfm_sandbox.faults.add("chat.*", "status", status=403, body=body, after=2)

    async with open_subject(hangfm_settings) as subject:
        found = await canary_message(subject)

    assert "It stays." in found.message
    assert found.remedy == "Delete it by hand."


async def test_a_refused_canary_is_rejected_in_the_chats_words(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    body = {"error": {"code": "ERR_FORBIDDEN", "message": "Not here."}}
    hangfm_sandbox.faults.add("chat.send", "status", status=403, body=body)

    async with open_subject(hangfm_settings) as subject:
        result = await run_check(CANARY, subject)

    assert (result.verdict, "Not here." in result.message) == ("rejected", True)
