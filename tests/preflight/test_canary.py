from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rng import FixedRng

if TYPE_CHECKING:
    from tests.preflight.conftest import Bench


@pytest.mark.parametrize("hangfm_sandbox_options", [{"dialect": "openchat"}, {"dialect": "cometchat"}])
async def test_a_canary_is_sent_found_and_deleted(bench: Bench) -> None:
    found = await bench.check("canary")

    assert found.message == "a message was sent, found by its id, and deleted"
    (row,) = [row for row in bench.sandbox.messages if row["category"] == "message"]
    assert row["muid"].startswith("canary-")
    assert row["deletedAt"]


async def test_a_canary_that_is_not_stored_is_a_loss_and_says_so(bench: Bench) -> None:
    gone = {"error": {"code": "ERR_MESSAGE_NOT_FOUND", "message": "gone"}}
    bench.fault("chat.lookup", status=404, body=gone)

    result = await bench.check("canary")

    assert result.verdict == "rejected"
    assert result.message.endswith("was acknowledged, and is not stored")
    assert "loses what it acknowledges" in result.remedy


async def test_a_canary_that_stays_is_warned_about(bench: Bench) -> None:
    muid = "canary-00000000-0000-4000-8000-000000000002"  # the first id is the client's own
    found_again = {"data": {"id": "7", "muid": muid, "sentAt": 1}}
    bench.fault("chat.send", status=201, body={"data": {"muid": muid}})
    bench.fault("chat.lookup", status=200, body=found_again)

    found = await bench.check("canary", rng=FixedRng())

    assert found.remedy == "Delete it by hand."


async def test_a_canary_that_may_not_be_deleted_is_warned_about(bench: Bench) -> None:
    body = {"error": {"code": "ERR_FORBIDDEN", "message": "It stays."}}
    bench.fault("chat.*", status=403, body=body, after=2)

    found = await bench.check("canary")

    assert "It stays." in found.message
    assert found.remedy == "Delete it by hand."


async def test_a_refused_canary_is_rejected_in_the_chats_words(bench: Bench) -> None:
    body = {"error": {"code": "ERR_FORBIDDEN", "message": "Not here."}}
    bench.fault("chat.send", status=403, body=body)

    result = await bench.check("canary")

    assert (result.verdict, "Not here." in result.message) == ("rejected", True)
