"""What an operator sees: the checks, run by pytest, on the sandbox and on what is configured."""

import asyncio
import json
import os
import runpy
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from hangbot import Settings, preflight
from hangbot.factory import open_subject
from hangbot.sandbox import Sandbox
from tests.plugin.conftest import REPOSITORY, WITHOUT_ALLURE

IDS: Final = [check.id for check in preflight.CHECKS]
NO_SERVER: Final = "http://127.0.0.1:9"


def configure(folder: Path, *sandboxes: Sandbox, **env: str) -> None:
    file = folder / "hang-fm-config.env"
    given = {name: value for sandbox in sandboxes for name, value in sandbox.env().items()} | env
    file.write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    file.chmod(0o600)


async def run(pytester: pytest.Pytester, *args: str) -> tuple[pytest.RunResult, Any]:
    """Run pytest beside this test's loop, on which the sandbox answers; return its end and its JSON."""
    argv = (*WITHOUT_ALLURE, "--hangfm-json=out.json", *args)
    result = await asyncio.to_thread(pytester.runpytest_subprocess, *argv)
    return result, json.loads((pytester.path / "out.json").read_text())


def verdicts(row: Any) -> dict[str, str]:  # noqa: ANN401  JSON
    return {check["id"]: check["verdict"] for check in row["checks"]}


def test_unconfigured_is_sandbox_only(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    site = inner.mkdir("site")  # laid out like the wheel
    shutil.copytree(REPOSITORY / "pytest_hangfm", site / "pytest_hangfm")
    shutil.copytree(REPOSITORY / "checks", site / "pytest_hangfm/checks")
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")

    argv = ("--pyargs", "pytest_hangfm.checks", "-m", "preflight", "--hangfm-json=new/out.json")
    result = inner.runpytest_subprocess(*argv)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=len(IDS) + 1)
    good = [f"[[]OK[]]   {title}: *" for title in ("Configuration is complete", "Outbox is writable")]
    result.stdout.fnmatch_lines(["*= preflight =*", *good])
    remedy, verdict = [line for line in result.outlines if line][-2:]  # behind pytest's own last line
    assert "CI is set and nothing is configured: give the job BOT_USER_TOKEN and ROOM_UUID" in remedy
    assert verdict == "SANDBOX ONLY: the sandbox, nothing live was checked"
    row = json.loads((inner.path / "new/out.json").read_text())
    assert (row["schema"], row["target"], row["verdict"]) == (1, "sandbox", "sandbox_only")
    assert list(verdicts(row)) == [*IDS, "canary"]
    assert (inner.path / "summary.md").read_text().startswith("### SANDBOX ONLY: the sandbox")


def test_chosen_checks_keep_order(with_checks: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANGFM_IGNORE", "chat.group, chat.member")

    argv = ("--collect-only", "-q", "--hangfm-only=chat.*,clock,token.expiry")
    result = with_checks.runpytest_subprocess(*WITHOUT_ALLURE, *argv)

    chosen = [line.partition("::test_")[2] for line in result.outlines if "::" in line]
    assert chosen == [
        *("bot_token_is_not_about_to_expire", "chat_can_be_reached", "chat_host_is_a_chat_server"),
        *("chat_token_is_accepted", "chat_token_is_the_bots_own", "chat_history_is_readable"),
        "clock_agrees_with_the_server",
    ]


def test_an_unknown_check_is_a_usage_error_with_the_nearest_one(with_checks: pytest.Pytester) -> None:
    result = with_checks.runpytest_subprocess(*WITHOUT_ALLURE, "--collect-only", "--hangfm-only=chat.tokn")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = "ERROR: --hangfm-only: no check is called 'chat.tokn'; did you mean chat.token?"
    result.stderr.fnmatch_lines([said])


async def test_plugin_and_command_say_ready(with_checks: pytest.Pytester, hangfm_sandbox: Sandbox) -> None:
    configure(with_checks.path, hangfm_sandbox)
    outbox = with_checks.path / "outbox.sqlite3"
    settings = Settings.from_env(hangfm_sandbox.env()).with_changes(outbox=outbox)
    async with open_subject(settings) as context:
        results = [result async for result in preflight.examine(context)]

    result, row = await run(with_checks, "-m", "preflight")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "hangfm: LIVE: preflight on what is configured in hang-fm-config.env*",
            'READY: room "Sandbox" on 127.0.0.1:* (this machine: nothing live was checked)',
        ]
    )
    assert (row["target"], row["verdict"]) == ("live", preflight.overall(results))
    assert verdicts(row) == {each.id: each.verdict for each in results}
    for each in results:
        if each.id not in {"clock", "outbox", "files"}:  # a tenth of a second, a path, a file's name
            lines = [line.replace("[", "[[]", 1) for line in preflight.result_lines(each)]
            result.stdout.fnmatch_lines(lines)
    assert hangfm_sandbox.messages == []


async def test_with_leave_a_canary_is_sent(with_checks: pytest.Pytester, hangfm_sandbox: Sandbox) -> None:
    configure(with_checks.path, hangfm_sandbox)

    result, _ = await run(with_checks, "-m", "preflight", "--hangfm-live-writes", "--hangfm-only=canary")

    assert result.ret == pytest.ExitCode.OK
    sent_and_gone = "a message was sent, found by its id, and deleted"
    result.stdout.fnmatch_lines([f"[[]OK[]]   A message arrives: {sent_and_gone}"])
    (sent,) = [row for row in hangfm_sandbox.messages if row["category"] == "message"]
    assert sent["deletedAt"]


async def test_one_cause_is_one_failure(with_checks: pytest.Pytester, hangfm_sandbox: Sandbox) -> None:
    configure(with_checks.path, hangfm_sandbox, COMETCHAT_RECEIVER="no-such-group", BOT_NAMEE="typo")

    result, _ = await run(with_checks, "--tb=short")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=len(IDS) - 3, failed=1, skipped=3)
    result.stdout.fnmatch_lines(
        [
            "[[]WARN[]] Configuration is complete: *BOT_NAMEE*",
            "[[]FAIL[]] Chat group exists: *",
            "       -> Check COMETCHAT_RECEIVER*",
            '[[]SKIP[]] Bot is in the chat group: because of "Chat group exists"',
            '[[]SKIP[]] Chat history is readable: because of "Chat group exists"',
            "NOT READY: room *",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert hangfm_sandbox.bot.token not in result.stdout.str()


async def test_many_processes_agree_with_one(with_checks: pytest.Pytester, hangfm_sandbox: Sandbox) -> None:
    wrong = {"COMETCHAT_RECEIVER": "no-such-group", "SOCKET_SERVER_URL": NO_SERVER}
    configure(with_checks.path, hangfm_sandbox, **wrong)

    _, in_one = await run(with_checks, "-m", "preflight", "-n", "0")
    _, in_four = await run(with_checks, "-m", "preflight", "-n", "4")

    columns = ("id", "verdict", "message")
    one, four = ([tuple(map(each.get, columns)) for each in row["checks"]] for row in (in_one, in_four))
    assert one == four
    assert ("clock", "skipped", 'because of "Room socket can be reached"') in four


def test_unreachable_is_cannot_tell(with_checks: pytest.Pytester, with_stages: pytest.Pytester) -> None:
    addresses = ("OPENCHAT_BASE_URL", "TTFM_GATEWAY_BASE_URL", "SOCKET_SERVER_URL")
    configure(with_checks.path, BOT_USER_TOKEN="t", ROOM_UUID="r", **dict.fromkeys(addresses, NO_SERVER))

    result = with_stages.runpytest_subprocess(*WITHOUT_ALLURE, "--hangfm-target=live", "-rs")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines_random(
        [
            "*LIVE: preflight, stage and live tests on what is configured in hang-fm-config.env*",
            "[[]????[]] Gateway can be reached: *",
            "SKIPPED*stages*it runs with --hangfm-live-writes only",
            "CANNOT TELL: *",
        ]
    )
    assert "stages" not in "".join(line for line in result.outlines if line.startswith("FAILED"))


def test_all_faults_are_one_failure(with_checks: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOM_UUID", "not/a/uuid")
    with_checks.makepyfile(
        test_own="""
        import pytest

        @pytest.mark.preflight("own.ok")
        def test_a_check_of_our_own(): ...

        @pytest.mark.preflight("own.bad")
        @pytest.mark.remedy("Turn it on.")
        def test_the_lamp_is_on():
            assert False, "it is off"

        @pytest.mark.preflight
        def test_the_lamp_can_be_looked_at():
            raise ZeroDivisionError("no lamp")
        """
    )

    result = with_checks.runpytest_subprocess(*WITHOUT_ALLURE)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1, failed=3, skipped=len(IDS))
    result.stdout.fnmatch_lines(
        [
            "[[]FAIL[]] Configuration is complete: *BOT_USER_TOKEN*ROOM_UUID*",
            "[[]OK[]]   A check of our own: as expected",
            "[[]FAIL[]] The lamp is on: it is off",
            "       -> Turn it on.",
            "[[]????[]] The lamp can be looked at: the check itself broke: ZeroDivisionError: no lamp",
            "NOT READY: the configuration in the environment",
        ]
    )


async def test_a_proxy_that_cannot_be_used_is_one_rejection_with_its_own_remedy_and_the_rest_is_skipped(
    with_checks: pytest.Pytester, hangfm_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(with_checks.path, hangfm_sandbox, OPENCHAT_BASE_URL="https://chat.invalid")
    monkeypatch.setenv("HTTPS_PROXY", "http://bot:hunter2/secret@proxy:1")

    result, row = await run(with_checks, "-m", "preflight")

    found = verdicts(row)
    assert found.pop("config") == "rejected"
    assert set(found.values()) == {"skipped"}
    result.stdout.fnmatch_lines(["       -> Correct HTTPS_PROXY, or unset it. *"])
    assert "hunter2" not in result.stdout.str()


def test_every_check_of_preflight_is_one_test_and_every_test_one_check() -> None:
    names = [runpy.run_path(str(path)) for path in (REPOSITORY / "checks").glob("test_*.py")]
    marks = [test.pytestmark for found in names for name, test in found.items() if name.startswith("test_")]

    tested = sorted(mark.args[0] for each in marks for mark in each if mark.name == "preflight")
    assert tested == sorted([*IDS, "canary"])
    assert all(check.remedy for check in (*preflight.CHECKS, preflight.CANARY))
