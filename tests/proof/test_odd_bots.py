"""Programs that are no usual bots: each ends with one clear sentence, and nothing of it is left running."""

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_hangfm.proof.rules import rule
from tests.proof.bots.planted import FOLDER
from tests.source_tree import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

MARK = "HANGBOT_ODD_BOT"
CANNOT_TELL = 3
NO_CONNECTION = (
    "the bot opened no connection to the sandbox: it has to take its addresses from SOCKET_SERVER_URL, "
    "OPENCHAT_BASE_URL and TTFM_GATEWAY_BASE_URL; "
)


class Shown(NamedTuple):
    code: int
    text: str
    problem: str
    failed: dict[str, str]
    left: list[str]


@pytest.fixture
def mark() -> str:
    """Stands in the environment of all processes of this test."""
    return f"{MARK}={uuid.uuid4().hex}"


def proven(name: str, folder: Path, mark: str) -> Shown:
    """Prove an odd bot as an author would, in an empty folder."""
    key, _, value = mark.partition("=")
    argv = [sys.executable, "-m", "hangbot", "prove", "--tier", "bronze", "--report", "report"]
    argv += ["--only", "start.answers,stop.sigterm", "--", sys.executable, str(FOLDER / "odd" / f"{name}.py")]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", key: value}
    done = subprocess.run(  # noqa: S603  this very interpreter
        argv, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    report = json.loads((folder / "report" / "report.json").read_text("utf-8"))
    failed = {row["id"]: row["what"] for row in report["rules"] if row["verdict"] == "fail"}
    return Shown(done.returncode, done.stdout + done.stderr, report["problem"], failed, still_running(mark))


def still_running(mark: str) -> list[str]:
    """What runs with this mark in its environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "cmdline").read_text("utf-8", "replace"))
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        pytest.param(
            "prints_nothing",
            NO_CONNECTION + "it printed nothing",
            id="prints-nothing",
        ),
        pytest.param(
            "reads_no_environment",
            NO_CONNECTION + "its last line was: no connection: Connection refused",
            id="reads-no-environment",
        ),
        pytest.param(
            "crashes_at_once",
            "the bot ended with exit code 1 before it was in the room; "
            "its last line was: config.json is missing",
            id="crashes-at-once",
        ),
    ],
)
def test_a_program_that_cannot_be_exercised_is_described_in_a_sentence(
    name: str, sentence: str, tmp_path: Path, mark: str
) -> None:
    shown = proven(name, tmp_path, mark)

    assert shown.problem == sentence
    assert shown.text.count(sentence) == 1
    assert "Traceback" not in shown.text
    assert shown.code == CANNOT_TELL
    assert shown.left == []


@pytest.mark.parametrize(
    ("name", "broken", "what", "code"),
    [
        pytest.param("forks", "stop.children", "it left 1 process running", CANNOT_TELL, id="forks"),
        pytest.param(
            "ignores_sigterm", "stop.sigterm", "it still ran 10 s after SIGTERM", 1, id="ignores-sigterm"
        ),
        pytest.param(
            "talks_early",
            "join.before-actions",
            "it ran voteOnSong before it had sent joinRoom",
            CANNOT_TELL,
            id="talks-early",
        ),
    ],
)
def test_a_bot_with_a_bad_habit_is_given_the_one_rule_that_it_breaks(
    name: str, broken: str, what: str, code: int, tmp_path: Path, mark: str
) -> None:
    shown = proven(name, tmp_path, mark)

    assert shown.failed == {broken: what}
    assert shown.text.count(rule(broken).sentence) == 1
    assert "Traceback" not in shown.text
    assert shown.code == code
    assert shown.left == []
