from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rng import FixedRng

if TYPE_CHECKING:
    from hangbot.sandbox import Sandbox
    from tests.preflight.conftest import RunOne


@pytest.mark.parametrize("hangfm_sandbox_options", [{"dialect": "openchat"}, {"dialect": "cometchat"}])
async def test_a_canary_is_sent_found_and_deleted(hangfm_sandbox: Sandbox, check: RunOne) -> None:
    found = await check("canary")

    assert found.message == "a message was sent, found by its id, and deleted"
    (row,) = [row for row in hangfm_sandbox.messages if row["category"] == "message"]
    assert row["muid"].startswith("canary-")
    assert row["deletedAt"]


async def test_a_canary_that_is_not_stored_is_a_loss_and_says_so(
    hangfm_sandbox: Sandbox, check: RunOne
) -> None:
    gone = {"error": {"code": "ERR_MESSAGE_NOT_FOUND", "message": "gone"}}
    hangfm_sandbox.faults.add("chat.lookup", "status", status=404, body=gone)

    result = await check("canary")

    assert result.verdict == "rejected"
    assert result.message.endswith("was acknowledged, and is not stored")
    assert "loses what it acknowledges" in result.remedy


async def test_a_canary_that_stays_is_warned_about(hangfm_sandbox: Sandbox, check: RunOne) -> None:
    muid = "canary-00000000-0000-4000-8000-000000000002"  # the first id is the client's own
    found_again = {"data": {"id": "7", "muid": muid, "sentAt": 1}}
    hangfm_sandbox.faults.add("chat.send", "status", status=201, body={"data": {"no": "number"}})
    hangfm_sandbox.faults.add("chat.lookup", "status", status=200, body=found_again)

    found = await check("canary", rng=FixedRng())

    assert found.remedy == "Delete it by hand."


async def test_a_canary_that_may_not_be_deleted_is_warned_about(
    hangfm_sandbox: Sandbox, check: RunOne
) -> None:
    body = {"error": {"code": "ERR_FORBIDDEN", "message": "It stays."}}
    hangfm_sandbox.faults.add("chat.*", "status", status=403, body=body, after=2)

    found = await check("canary")

    assert "It stays." in found.message
    assert found.remedy == "Delete it by hand."


async def test_a_refused_canary_is_rejected_in_the_chats_words(
    hangfm_sandbox: Sandbox, check: RunOne
) -> None:
    body = {"error": {"code": "ERR_FORBIDDEN", "message": "Not here."}}
    hangfm_sandbox.faults.add("chat.send", "status", status=403, body=body)

    result = await check("canary")

    assert (result.verdict, "Not here." in result.message) == ("rejected", True)
