"""Stages on a live target, for which a sandbox in another process stands: what they did is taken back."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.bounds import WITHIN

if TYPE_CHECKING:
    from collections.abc import Iterator

LIVE = ("--hangfm-target=live", "--hangfm-live-writes", "--hangfm-env-file=sandbox.env", "-pno:allure_pytest")
QUICK = {"SOCKET_TIMEOUT_MS": "2000", "HANGBOT_RATE": "0", "STAGE_RETRY_BASE_MS": "20", "CHAT_POLL_MS": "50"}


@dataclass
class Target:
    """A sandbox in another process, by its control address."""

    control: str

    def ask(self, path: str, body: object = None) -> Any:  # noqa: ANN401  JSON
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.control + path, data=data, headers=headers)  # noqa: S310  loopback
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=WITHIN) as answer:
            return json.loads(answer.read())

    def left(self) -> tuple[list[str], list[Any]]:
        """Return the texts that people see, and who is on stage."""
        rows = [row for row in self.ask("/messages")["messages"] if "deletedAt" not in row]
        return [row["data"]["text"] for row in rows], self.ask("/state")["state"]["djs"]


@pytest.fixture(params=["openchat"])
def target(with_stages: pytest.Pytester, request: pytest.FixtureRequest) -> Iterator[Target]:
    """A target with its configuration in the inner run's folder."""
    with subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-m", "hangbot", "sandbox", "--dialect", request.param, "--env-out", "sandbox.env"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=with_stages.path,
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        with (with_stages.path / "sandbox.env").open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in QUICK.items())
        yield Target(ready["control_url"])
        process.terminate()


@pytest.mark.parametrize("target", ["openchat", "cometchat"], indirect=True)
def test_every_stage_that_can_runs_and_leaves_no_trace(with_stages: pytest.Pytester, target: Target) -> None:
    result = with_stages.runpytest_subprocess("stages", "-rA", *LIVE)

    result.stdout.fnmatch_lines(["SKIPPED*needs the sandbox: it makes faults and people that a live*"])
    text = result.stdout.str()
    passed = {line.split("::")[1].split()[0] for line in text.splitlines() if line.startswith("PASSED")}
    assert "failed" not in text.splitlines()[-1]
    assert "error" not in text.splitlines()[-1]
    assert {name.partition("[")[0] for name in passed} >= {
        "test_a_message_is_acknowledged_on_the_first_attempt_and_can_be_found",
        "test_the_same_message_accepted_twice_is_sent_once",
        "test_tier_1_is_acknowledged_at_once",
        "test_a_run_from_preflight_to_a_clean_stop",
        "test_an_action_is_acknowledged_on_the_first_attempt",
        "test_add_dj_puts_the_bot_on_stage",
        "test_skip_song_ends_the_bots_own_song",
    }
    assert target.left() == ([], [])


def test_a_stage_that_fails_takes_back_what_it_did(with_stages: pytest.Pytester, target: Target) -> None:
    target.ask("/faults", {"on": "room.action", "do": "drop"})  # done, and the answer lost

    result = with_stages.runpytest_subprocess("stages/test_room_actions.py", *LIVE)

    outcomes = result.parseoutcomes()
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 1
    assert outcomes["passed"] == 8
    assert target.left() == ([], [])


def test_a_message_without_an_answer_is_taken_back_too(with_stages: pytest.Pytester, target: Target) -> None:
    target.ask("/faults", {"on": "chat.send", "do": "cut_after_store", "times": 3})

    result = with_stages.runpytest_subprocess("stages/test_chat_ack_retry.py", *LIVE)
    result.assert_outcomes(failed=1, passed=1, skipped=12)

    assert target.left() == ([], [])
