from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from hangbot import preflight
from hangbot.errors import ConfigError
from hangbot.factory import open_subject
from hangbot.preflight import CHECKS, CheckResult, examine, overall, result_of, skipped_because
from hangbot.sandbox.room.variants import RoomVariants
from pytest_hangfm.manual_clock import ManualClock
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hangbot.clock import Clock
    from hangbot.config import Settings
    from hangbot.preflight import Overall, Verdict
    from hangbot.sandbox import Sandbox

DAY = 86_400
NEVER = {"times": 0}


async def examined(settings: Settings, clock: Clock | None = None) -> dict[str, CheckResult]:
    async with open_subject(settings, clock=clock) as subject:
        return {result.id: result async for result in examine(subject)}


@asynccontextmanager
async def patience_runs_out(sandbox: Sandbox, clock: ManualClock) -> AsyncIterator[None]:
    """Move the clock by as much as anybody waits, whenever the sandbox keeps an answer back."""

    async def move() -> None:
        seen = 0
        while True:
            row = await sandbox.journal.wait_for(lambda row: "fault" in row, since=seen, within=WITHIN)
            seen = row["n"]
            await clock.advance(5)

    moving = asyncio.create_task(move(), name="patience")
    try:
        yield
    finally:
        moving.cancel()
        await asyncio.gather(moving, return_exceptions=True)


@pytest.mark.parametrize("hangfm_sandbox_options", [{"dialect": "openchat"}, {"dialect": "cometchat"}])
async def test_every_question_is_answered_well_where_nothing_is_wrong(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    results = await examined(hangfm_settings)

    assert {result.verdict for result in results.values()} == {"ok"}, results
    assert [result.id for result in results.values()] == [question.id for question in CHECKS]
    assert [row for row in hangfm_sandbox.messages if row["category"] == "message"] == []


@pytest.mark.parametrize(
    ("fault", "question", "verdict", "says"),
    [
        pytest.param(
            {
                "on": "gateway.token",
                "do": "status",
                "status": 401,
                "body": {"statusCode": 401, "message": "Unauthorized"},
            },
            "gateway.token",
            "rejected",
            "401",
            id="token refused",
        ),
        pytest.param(
            {"on": "gateway.token", "do": "status", "status": 403, "body": "<html>blocked</html>"},
            "gateway.token",
            "cannot_tell",
            "403",
            id="a firewall's page for the gateway",
        ),
        pytest.param(
            {"on": "gateway.token", "do": "status", "status": 500},
            "gateway.token",
            "cannot_tell",
            "500",
            id="gateway in trouble",
        ),
        pytest.param(
            {"on": "gateway.token", "do": "garbage"},
            "gateway.token",
            "cannot_tell",
            "no JSON",
            id="gateway is none",
        ),
        pytest.param(
            {"on": "gateway.token", "do": "hang"},
            "gateway.token",
            "cannot_tell",
            "no answer",
            id="gateway silent",
        ),
        pytest.param(
            {
                "on": "chat.me",
                "do": "status",
                "status": 401,
                "body": {"error": {"code": "ERR_NO_AUTH", "message": "Who?"}},
                "times": 2,
            },
            "chat.token",
            "rejected",
            "ERR_NO_AUTH: Who?",
            id="chat token refused",
        ),
        pytest.param(
            {"on": "chat.me", "do": "status", "status": 401, "body": "<html>log in</html>", "times": 2},
            "chat.token",
            "cannot_tell",
            "401",
            id="a log-in page for the chat",
        ),
        pytest.param(
            {"on": "chat.me", "do": "refuse"}, "chat.token", "cannot_tell", "connection", id="chat cut off"
        ),
        pytest.param(
            {"on": "chat.me", "do": "status", "status": 200, "body": {"data": {"uid": "else"}}},
            "chat.uid",
            "rejected",
            "belongs to else",
            id="another's token",
        ),
        pytest.param(
            {
                "on": "chat.group",
                "do": "status",
                "status": 404,
                "body": {"error": {"code": "ERR_GUID_NOT_FOUND"}},
            },
            "chat.group",
            "rejected",
            "ERR_GUID_NOT_FOUND",
            id="no such group",
        ),
        pytest.param(
            {
                "on": "chat.join",
                "do": "status",
                "status": 400,
                "body": {"error": {"code": "ERR_FORBIDDEN", "message": "banned"}},
            },
            "chat.member",
            "rejected",
            "banned",
            id="banned from the chat",
        ),
        pytest.param(
            {"on": "chat.history", "do": "garbage"},
            "chat.history",
            "cannot_tell",
            "answered",
            id="no history",
        ),
        pytest.param(
            {"on": "room.connect", "do": "status", "status": 401},
            "room.connect",
            "rejected",
            "401",
            id="room refuses the token",
        ),
        pytest.param(
            {"on": "room.connect", "do": "status", "status": 502},
            "room.connect",
            "cannot_tell",
            "502",
            id="room behind a broken proxy",
        ),
        pytest.param(
            {"on": "room.connect", "do": "hang"},
            "room.connect",
            "cannot_tell",
            "no connection",
            id="room silent",
        ),
        pytest.param(
            {"on": "room.welcome", "do": "close"}, "room.connect", "cannot_tell", "ended", id="room hangs up"
        ),
        pytest.param(
            {"on": "room.welcome", "do": "drop"}, "room.connect", "warn", "no welcome", id="no welcome"
        ),
        pytest.param(
            {"on": "room.joinRoom", "do": "status", "body": "full"},
            "room.joined",
            "rejected",
            "full",
            id="join refused",
        ),
        pytest.param(
            {"on": "room.joinRoom", "do": "hang"},
            "room.joined",
            "cannot_tell",
            "no acknowledgement",
            id="join not answered",
        ),
    ],
)
async def test_each_fault_is_found_by_its_question(
    fault: dict[str, Any],
    question: str,
    verdict: Verdict,
    says: str,
    hangfm_sandbox: Sandbox,
    hangfm_settings: Settings,
) -> None:
    hangfm_sandbox.faults.add(**(NEVER | fault))
    settings = hangfm_settings.with_changes(ack_timeout=5.0, welcome_timeout=5.0)
    if fault["on"] == "room.connect" and fault["do"] == "hang":
        settings = settings.with_changes(connect_timeout=0.2)  # the library's own, in real time
    clock = ManualClock(wall=hangfm_sandbox.clock.now_s())

    if fault["do"] in {"hang", "drop"}:
        async with patience_runs_out(hangfm_sandbox, clock):
            results = await examined(settings, clock)
    else:
        results = await examined(settings, clock)

    found = results[question]
    assert (found.verdict, says in found.message) == (verdict, True), found
    assert found.remedy
    before = [result for result in results.values() if result.verdict not in {"ok", "skipped"}]
    assert before[0] is found, "the first bad line is the one to act on"


async def test_a_bad_answer_makes_those_that_need_it_pointless_and_no_others(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    hangfm_sandbox.faults.add(
        "gateway.token", "status", status=401, times=0, body={"statusCode": 401, "message": "No."}
    )

    results = await examined(hangfm_settings)

    skipped = {id_ for id_, result in results.items() if result.verdict == "skipped"}
    assert skipped == {
        *("chat.token", "chat.uid", "chat.group", "chat.member", "chat.history"),
        *("room.connect", "room.heartbeat", "room.joined", "clock", "drift"),
    }
    assert results["chat.token"].message == 'because of "Gateway accepts the bot token"'
    assert results["room.reach"].verdict == "ok"


@pytest.mark.parametrize(
    ("lifetime", "verdict", "says"),
    [
        pytest.param(30 * DAY, "ok", "another 30 days", id="a month"),
        pytest.param(3 * DAY + 60, "warn", "expires in 3.0 days", id="three days"),
        pytest.param(-2 * DAY, "rejected", "expired 2.0 days ago", id="expired"),
    ],
)
async def test_the_tokens_expiry_is_told_in_days(
    lifetime: float, verdict: Verdict, says: str, hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    token = hangfm_sandbox.people.issue(hangfm_sandbox.bot.uid, lifetime_s=lifetime)

    result = (await examined(hangfm_settings.with_changes(bot_user_token=token)))["token.expiry"]

    assert (result.verdict, says in result.message) == (verdict, True), result


async def test_a_token_without_an_expiry_is_no_reason_to_stop(hangfm_settings: Settings) -> None:
    result = (await examined(hangfm_settings.with_changes(bot_user_token="opaque")))["token.expiry"]

    assert (result.verdict, result.message) == ("warn", "BOT_USER_TOKEN names no expiry")


async def test_without_auto_join_nothing_is_joined(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    results = await examined(hangfm_settings.with_changes(auto_join=False))

    assert results["chat.member"].message == "not asked: AUTO_JOIN is off, and only joining tells for sure"
    joins = hangfm_sandbox.journal.events(service="chat", method="POST")
    assert not any(row["path"].endswith("/members") for row in joins)


@pytest.mark.parametrize("hangfm_sandbox_options", [{"variants": RoomVariants(joiner_in_state=False)}])
async def test_a_bot_that_is_not_in_the_state_yet_is_warned_about(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    await hangfm_sandbox.users.add("alice").join()

    result = (await examined(hangfm_settings))["room.joined"]

    assert result.verdict == "warn"
    assert "the bot is not among its" in result.message


@pytest.mark.parametrize(
    ("off", "word"),
    [pytest.param(60, "60 s behind", id="behind"), pytest.param(-60, "60 s ahead of", id="ahead")],
)
async def test_a_clock_that_is_off_is_warned_about(
    off: float, word: str, hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    clock = ManualClock(wall=hangfm_sandbox.clock.now_s() - off)
    async with open_subject(hangfm_settings, clock=clock) as subject:
        found = await preflight.clock_offset(subject)

    assert word in found.message
    assert "timedatectl" in found.remedy


@pytest.mark.parametrize("told", [None, "noon", True])
async def test_a_server_that_tells_no_time_is_no_fault(
    told: object, hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    body = {"state": {"allUsers": []}, "serverTime": told}
    hangfm_sandbox.faults.add("room.joinRoom", "status", body=body)

    async with open_subject(hangfm_settings) as subject:
        found = await preflight.clock_offset(subject)

    assert found.message == "the room server does not tell its time"


async def test_an_outbox_that_is_no_database_is_found_and_left_as_it_is(hangfm_settings: Settings) -> None:
    hangfm_settings.outbox.write_text("a shopping list, and no database at all\n" * 100)

    result = (await examined(hangfm_settings))["outbox"]

    assert result.verdict == "rejected"
    assert "HANGBOT_OUTBOX" in result.remedy
    assert hangfm_settings.outbox.read_text().startswith("a shopping list")


def test_a_faulty_configuration_is_one_result_with_every_fault() -> None:
    error = ConfigError("2 faults", faults=["A: missing", "B: wrong"])

    result = result_of(CHECKS[0], error, 0.0125)

    assert (result.verdict, result.message, result.duration_ms) == ("rejected", "A: missing; B: wrong", 12.5)


@pytest.mark.parametrize(
    ("verdicts", "sandbox", "expected"),
    [
        ([], False, "ready"),
        (["ok", "warn"], False, "ready"),
        (["ok", "skipped"], True, "sandbox_only"),
        (["cannot_tell", "ok"], True, "cannot_tell"),
        (["cannot_tell", "rejected", "ok"], False, "not_ready"),
    ],
)
def test_the_worst_answer_decides(
    verdicts: list[Verdict],
    sandbox: bool,  # noqa: FBT001  a column of the table
    expected: Overall,
) -> None:
    results = [CheckResult(str(number), "", verdict, "") for number, verdict in enumerate(verdicts)]

    assert overall(results, sandbox=sandbox) == expected


def test_every_question_needs_only_earlier_ones() -> None:
    known: set[str] = set()
    for question in CHECKS:
        assert set(question.needs) <= known, question.id
        known.add(question.id)

    assert skipped_because(CHECKS[0], []) is None
