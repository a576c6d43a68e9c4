"""A run of all checks: their order, what is skipped because of what, and the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hangbot.config import Settings
from hangbot.errors import ConfigError, TokenRejected
from hangbot.factory import open_subject
from hangbot.preflight import (
    CHECKS,
    Check,
    CheckContext,
    CheckResult,
    Finding,
    configuration,
    overall,
    result_of,
    results_for_bad_config,
    run_check,
    skipped_because,
)
from hangbot.sandbox.room.variants import RoomVariants

if TYPE_CHECKING:
    from hangbot.preflight import Overall, Verdict
    from hangbot.sandbox import Sandbox
    from tests.preflight.conftest import Bench


@pytest.mark.parametrize("hangfm_sandbox_options", [{"dialect": "openchat"}, {"dialect": "cometchat"}])
async def test_every_question_is_answered_well_where_nothing_is_wrong(bench: Bench) -> None:
    results = await bench.all()

    assert {result.verdict for result in results.values()} == {"ok"}, results
    assert list(results) == [check.id for check in CHECKS]
    assert [row for row in bench.sandbox.messages if row["category"] == "message"] == []


async def test_a_bad_answer_makes_those_that_need_it_pointless_and_no_others(bench: Bench) -> None:
    refusal = {"statusCode": 401, "message": "No."}
    bench.fault("gateway.token", status=401, times=0, body=refusal)

    results = await bench.all()
    without_chat = await bench.all(chat_url="http://127.0.0.1:9")

    chat = {"chat.token", "chat.uid", "chat.group", "chat.member", "chat.history"}
    room = {"room.connect", "room.heartbeat", "room.joined", "clock", "drift"}
    assert {id_ for id_, result in results.items() if result.verdict == "skipped"} == chat | room
    assert results["chat.token"].message == 'because of "Gateway accepts the bot token"'
    assert results["room.reach"].verdict == "ok"
    assert without_chat["chat.server"].message == 'because of "Chat can be reached"'


async def test_what_is_odd_about_the_configuration_is_a_warning(hangfm_sandbox: Sandbox) -> None:
    odd = Settings.from_env(hangfm_sandbox.env() | {"ROOM_UUID": "my-room"})

    async with open_subject(odd) as context:
        result = await run_check(configuration, context)

    assert (result.verdict, result.message) == ("warn", odd.warnings[0])
    assert result.remedy == "Correct or remove these lines of the configuration file."


async def test_without_auto_join_nothing_is_joined(bench: Bench) -> None:
    results = await bench.all(auto_join=False)

    assert results["chat.member"].message == "not asked: AUTO_JOIN is off, and only joining tells for sure"
    joins = bench.sandbox.journal.events(service="chat", method="POST")
    assert not any(row["path"].endswith("/members") for row in joins)


@pytest.mark.parametrize("hangfm_sandbox_options", [{"variants": RoomVariants(joiner_in_state=False)}])
async def test_a_bot_that_is_not_in_the_state_yet_is_warned_about(bench: Bench) -> None:
    await bench.sandbox.users.add("alice").join()

    result = await bench.check("room.joined")

    assert (result.verdict, "the bot is not among its" in result.message) == ("warn", True)


@pytest.mark.parametrize("told", [None, "noon", True])
async def test_a_server_that_tells_no_time_is_no_fault(told: object, bench: Bench) -> None:
    body = {"state": {"allUsers": []}, "serverTime": told}
    bench.fault("room.joinRoom", body=body)

    result = await bench.check("clock")

    assert result.message == "the room server does not tell its time"


async def test_where_the_gateway_cannot_be_asked_an_unknown_group_is_only_that(bench: Bench) -> None:
    token, away = bench.sandbox.bot.chat_token, "http://127.0.0.1:9"

    result = await bench.check("chat.group", room_uuid="unknown", chat_token=token, gateway_url=away)

    assert result.message.endswith("; the gateway cannot be asked")
    assert result.remedy == "Check ROOM_UUID; the room may be closed."


async def test_no_answer_shows_a_secret_whoever_says_it(hangfm_settings: Settings) -> None:
    token = hangfm_settings.bot_user_token.get_secret_value()

    async def leak(_: CheckContext) -> Finding:
        raise TokenRejected(f"who is {token}?", service="room", remedy=f"Not {token}.")

    async with open_subject(hangfm_settings) as context:
        result = await run_check(Check("own", "Own", leak), context)

    assert (result.message, result.remedy) == ("who is <masked>?", "Not <masked>.")


async def _never(_: CheckContext) -> Finding:
    pytest.fail("asked")


def test_the_cause_at_the_root_is_named() -> None:
    first = CheckResult("a", "Is a", "rejected", "no")
    second = skipped_because(Check("b", "Is b", _never, ("a",)), [first])
    assert second is not None

    third = skipped_because(Check("c", "Is c", _never, ("b",)), [first, second])

    assert third is not None
    assert (second.message, third.message) == ('because of "Is a"', 'because of "Is a"')


def test_an_unusable_configuration_is_one_rejection_with_every_fault() -> None:
    error = ConfigError("two", faults=["A: missing", "B: wrong"])

    results = results_for_bad_config(error)

    assert [result.id for result in results] == [check.id for check in CHECKS]
    assert (results[0].verdict, results[0].message) == ("rejected", "A: missing; B: wrong")
    assert {result.verdict for result in results[1:]} == {"skipped"}
    assert result_of(CHECKS[0], error, 0.0125).duration_ms == 12.5


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
    for check in CHECKS:
        assert set(check.needs) <= known, check.id
        known.add(check.id)

    assert skipped_because(CHECKS[0], []) is None
