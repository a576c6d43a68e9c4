from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hangbot.cli import main
from hangbot.preflight import QUESTIONS

if TYPE_CHECKING:
    from tests.cli.conftest import Live

CHECK = {"id", "title", "verdict", "message", "remedy", "duration_ms"}


def checked(capsys: pytest.CaptureFixture[str], code: int) -> dict[str, Any]:
    assert main(["preflight", "--json"]) == code
    row: dict[str, Any] = json.loads(capsys.readouterr().out)
    return row


def test_where_all_is_well_every_check_is_a_line_and_the_last_is_the_verdict(
    configured: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["preflight"])

    printed = capsys.readouterr()
    *lines, verdict = printed.out.splitlines()
    assert code == 0
    assert [line[:7] for line in lines] == ["[OK]   "] * len(QUESTIONS)
    assert verdict.startswith(f"READY: room {configured.sandbox.room_uuid} on http://127.0.0.1:")
    assert printed.err == ""


@pytest.mark.usefixtures("configured")
def test_as_json_it_is_the_contracts(capsys: pytest.CaptureFixture[str]) -> None:
    row = checked(capsys, 0)

    assert set(row) == {"schema", "target", "verdict", "checks"}
    assert (row["schema"], row["target"], row["verdict"]) == (1, "live", "ready")
    assert [set(check) for check in row["checks"]] == [CHECK] * len(QUESTIONS)
    assert all(check["duration_ms"] >= 0 for check in row["checks"])


def test_what_is_rejected_is_1_with_its_remedy_under_it(
    configured: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    configured.sandbox.faults.add("gateway.token", "status", status=401, times=0)

    code = main(["preflight"])

    out = capsys.readouterr().out
    assert code == 1
    assert "[FAIL] Gateway accepts the bot token: the gateway refused the token exchange (status 401" in out
    assert "       -> Renew BOT_USER_TOKEN" in out
    assert "[SKIP] Chat token is accepted" in out
    assert out.splitlines()[-1].startswith("NOT READY: ")


def test_what_cannot_be_told_is_3(configured: Live, capsys: pytest.CaptureFixture[str]) -> None:
    configured.configure(SOCKET_SERVER_URL="http://127.0.0.1:9")

    row = checked(capsys, 3)

    assert row["verdict"] == "cannot_tell"
    verdicts = {check["id"]: check["verdict"] for check in row["checks"]}
    assert (verdicts["room.connect"], verdicts["room.joined"]) == ("cannot_tell", "skipped")


def test_a_rejection_counts_more_than_what_cannot_be_told(
    configured: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    configured.configure(SOCKET_SERVER_URL="http://127.0.0.1:9")
    configured.sandbox.faults.add("gateway.token", "status", status=401, times=0)

    assert checked(capsys, 1)["verdict"] == "not_ready"


def test_a_faulty_configuration_is_2_and_in_the_json_too(
    live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    live.configure(BOT_USER_TOKEN="", HANGBOT_RATE="fast")

    code = main(["preflight", "--json"])

    printed = capsys.readouterr()
    row = json.loads(printed.out)
    assert code == 2
    assert row["verdict"] == "not_ready"
    (check,) = row["checks"]
    assert (check["id"], check["verdict"]) == ("config", "rejected")
    assert "BOT_USER_TOKEN" in check["message"]
    assert "HANGBOT_RATE" in check["message"]
    assert "BOT_USER_TOKEN" in printed.err


def test_no_token_is_printed_whatever_the_services_say(
    configured: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    bot = configured.sandbox.bot
    echo = {"error": {"code": "ERR_BAD", "message": f"{bot.chat_token} and {bot.token}?"}}
    configured.sandbox.faults.add("chat.me", "status", status=400, body=echo, times=0)
    configured.sandbox.faults.add("room.joinRoom", "status", body=f"who is {bot.token}?", times=0)

    code = main(["preflight", "--log-level", "debug"])

    printed = capsys.readouterr()
    assert code == 1
    assert "ERR_BAD" in printed.out
    assert bot.token not in printed.out + printed.err
    assert bot.chat_token not in printed.out + printed.err
