from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from hangbot.cli import main
from hangbot.preflight import CHECKS

if TYPE_CHECKING:
    from tests.cli.conftest import Bench, Call

REFUSED = {"statusCode": 401, "message": "No."}
CHECK = {"id", "title", "verdict", "message", "remedy", "duration_ms"}


def test_where_all_is_well_every_check_is_a_line_and_the_last_is_the_verdict(bench: Bench) -> None:
    printed = bench.call("preflight")

    *lines, verdict = printed.out.splitlines()
    assert printed.code == 0
    assert [line[:7] for line in lines] == ["[OK]   "] * len(CHECKS)
    assert verdict.startswith("READY: room ")
    assert printed.err == ""


@pytest.mark.usefixtures("bench")
def test_as_json_it_is_the_contracts(call: Call) -> None:
    row = call.json("preflight")

    assert set(row) == {"schema", "target", "verdict", "checks"}
    assert (row["schema"], row["target"], row["verdict"]) == (1, "live", "ready")
    assert [set(check) for check in row["checks"]] == [CHECK] * len(CHECKS)
    assert all(check["duration_ms"] >= 0 for check in row["checks"])


def test_what_is_rejected_is_1_with_its_remedy_under_it(bench: Bench) -> None:
    bench.fault("gateway.token", "status", status=401, times=0, body=REFUSED)

    code, out, _ = bench.call("preflight")

    assert code == 1
    assert "[FAIL] Gateway accepts the bot token: the gateway refused the token exchange (status 401" in out
    assert "       -> Renew BOT_USER_TOKEN" in out
    assert "[SKIP] Chat token is accepted" in out
    assert out.splitlines()[-1].startswith("NOT READY: ")


def test_a_warning_is_0_with_its_remedy_under_it(bare: Bench) -> None:
    bare.configure(COMETCHAT_AUTH=f"auth_{'x' * 43}")

    said = bare.call("preflight")

    lines = said.out.splitlines()
    (place,) = (number for number, line in enumerate(lines) if line.startswith("[WARN]"))
    assert said.code == 0
    assert lines[place].startswith("[WARN] Chat token is accepted: COMETCHAT_AUTH is dead or never was")
    assert lines[place + 1] == "       -> Remove COMETCHAT_AUTH: the bot exchanges a fresh token by itself."
    assert lines[-1].startswith("READY: ")


def test_a_chat_of_the_other_dialect_than_is_configured_is_1_and_named(bare: Bench) -> None:
    bare.configure(CHAT_DIALECT="cometchat", COMETCHAT_APPID="sandbox")

    code, out, _ = bare.call("preflight")

    assert code == 1
    assert "[FAIL] Chat token is accepted: " in out
    assert "speaks as OpenChat does, CHAT_DIALECT says cometchat" in out


def test_what_cannot_be_told_is_3(bench: Bench) -> None:
    bench.configure(SOCKET_SERVER_URL="http://127.0.0.1:9")

    row = bench.call.json("preflight", code=3)

    assert row["verdict"] == "cannot_tell"
    verdicts = {check["id"]: check["verdict"] for check in row["checks"]}
    assert "cannot_tell" in verdicts.values()
    assert verdicts["room.joined"] == "skipped"


def test_a_rejection_counts_more_than_what_cannot_be_told(bench: Bench) -> None:
    bench.configure(SOCKET_SERVER_URL="http://127.0.0.1:9")
    bench.fault("gateway.token", "status", status=401, times=0, body=REFUSED)

    assert bench.call.json("preflight", code=1)["verdict"] == "not_ready"


def test_a_faulty_configuration_is_2_and_in_the_json_too(bare: Bench) -> None:
    bare.configure(BOT_USER_TOKEN="", HANGBOT_RATE="fast")

    printed = bare.call("preflight", "--json")

    row = json.loads(printed.out)
    assert printed.code == 2
    assert row["verdict"] == "not_ready"
    check, *others = row["checks"]
    assert {other["message"] for other in others} == {'because of "Configuration is complete"'}
    assert (check["id"], check["verdict"]) == ("config", "rejected")
    assert "BOT_USER_TOKEN" in check["message"]
    assert "HANGBOT_RATE" in check["message"]
    assert "BOT_USER_TOKEN" in printed.err


def test_no_token_is_printed_whatever_the_services_say(bench: Bench) -> None:
    bot = bench.sandbox.bot
    echo = {"error": {"code": "ERR_BAD", "message": f"{bot.chat_token} and {bot.token}?"}}
    bench.fault("chat.me", "status", status=400, body=echo, times=0)
    bench.fault("room.joinRoom", "status", body=f"who is {bot.token}?", times=0)

    printed = bench.call("preflight", "--log-level", "debug")

    assert printed.code == 1
    assert "ERR_BAD" in printed.out
    assert bot.token not in printed.out + printed.err
    assert bot.chat_token not in printed.out + printed.err


def test_where_the_stream_is_not_utf_8_it_is_ascii(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.sandbox.room.state["settings"]["name"] = "Caf\u00e9 \u201cNoir\u201d \u2026"
    shown = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr("sys.stdout", shown)

    code = main(["preflight"])

    shown.seek(0)
    assert code == 0
    assert 'the bot is in "Caf\\xe9 "Noir" ..." with 0 others' in shown.read()


def test_a_faulty_configuration_has_its_lines_too(bare: Bench) -> None:
    bare.configure(ROOM_UUID="")

    said = bare.call("preflight")

    lines = said.out.splitlines()
    assert said.code == 2
    assert lines == [
        ("[FAIL] Configuration is complete: ROOM_UUID (hang-fm-config.env line 2): required, and empty"),
        (
            "       -> Correct that in hang-fm-config.env or in the environment; a file that `hangbot init` "
            "writes explains each name, docs/bot-token.md where a token comes from."
        ),
        (
            f"[SKIP] Bot token is not about to expire, and {len(CHECKS) - 2} more: "
            'because of "Configuration is complete"'
        ),
        "NOT READY: the configuration in hang-fm-config.env",
    ]
