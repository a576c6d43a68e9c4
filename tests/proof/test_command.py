"""`hangbot prove` from outside."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.bounds import WITHIN
from tests.cases import cases

BOT = Path(__file__).parents[2] / "examples" / "bot.py"


def prove(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "hangbot", "prove", *words]
    given = {**os.environ, **(env or {})}
    return subprocess.run(  # noqa: S603  our own command
        argv, cwd=cwd, env=given, capture_output=True, text=True, check=False, timeout=20 * WITHIN
    )


@cases(
    "words text",
    ("no-bot", [], "no bot is named"),
    ("a-wrong-tier", ["--tier", "golden", "--", "x"], "did you mean gold?"),
    ("a-wrong-option", ["--quikc", "--", "x"], "did you mean --quick?"),
    ("two-bots", ["--app", "a:b", "--", "x"], "--app and a command are two bots"),
    ("less-than-no-search", ["--search", "-1", "--", "x"], "'-1' is no number of minutes from 0 to 1440"),
    ("a-search-of-words", ["--search", "long", "--", "x"], "'long' is no number of minutes from 0 to 1440"),
    ("a-quick-search", ["--quick", "--search", "1", "--", "x"], "--quick leaves no time for --search"),
    ("a-replay-and-more", ["--replay", "x", "--only", "join", "--", "x"], "and --only asks for something"),
    ("two-bots-and-a-container", ["--app", "a:b", "--docker", "x"], "--app and --docker are two bots"),
    ("no-image", ["--docker", ""], "--docker names no image"),
    ("no-file", ["--profile", "/dev/zero", "--", "x"], "/dev/zero cannot be read: it is no file"),
    ("no-speed", ["--speed", "0", "--", "x"], "--speed"),
)
def test_a_wrong_call_ends_with_2_and_a_line(words: list[str], text: str, tmp_path: Path) -> None:
    ended = prove(*words, cwd=tmp_path)

    assert ended.returncode == 2
    assert text in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
@cases(
    "words text",
    ("no-such-program", ["--", "no-such-program"], "no-such-program is not installed"),
    ("no-such-scenario", ["--only", "room-socket.abrt", "--", "true"], "did you mean room-socket.abort?"),
    ("no-such-profile", ["--profile", "none.toml", "--", "true"], "none.toml cannot be read"),
    ("a-misspelt-key", ["--profile", "bad.toml", "--", "true"], "there is no key 'syas'; did you mean says?"),
    ("too-fast", ["--speed", "900", "--", "true"], "give a number from 1 to 60"),
    ("no-token", ["--replay", " ", "--", "true"], "no token was given"),
    (
        "another-token",
        ["--replay", "sim1-eJw", "--", "true"],
        "no token of a proof: those begin with prove1-",
    ),
    ("an-older-token", ["--replay", "prove0-eJw", "--", "true"], "is of format prove0"),
    ("half-a-token", ["--replay", "prove1-eJw", "--", "true"], "is not whole"),
    ("no-folder-for-the-report", ["--report", "bad.toml/report", "--", "true"], "cannot be written"),
)
def test_bad_input_that_the_proof_finds_ends_with_2_and_a_line(
    words: list[str], text: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.toml").write_text('syas = "/ping"\n', "utf-8")

    ended = prove(*words, cwd=tmp_path)

    assert (ended.returncode, ended.stdout.strip()) == (2, "")
    assert text in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
@cases(
    "program text",
    ("crashes-at-once", "import sys; print('boom'); sys.exit(7)", "ended with exit code 7"),
    ("reads-no-environment", "import time; time.sleep(60)", "opened no connection to the sandbox"),
    ("prints-nothing", "", "it printed nothing"),
)
def test_a_bot_that_cannot_be_exercised_ends_with_3_and_a_line(
    program: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / "bot.py").write_text(program, "utf-8")

    ended = prove("--quick", "--", sys.executable, "bot.py", cwd=tmp_path)

    assert ended.returncode == 3
    assert ended.stdout.startswith("cannot tell: ")
    assert text in ended.stdout
    assert ended.stdout.strip().count("\n") == 0


@pytest.mark.slow
def test_a_bot_is_proven_and_the_report_is_there(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_bytes(BOT.read_bytes())
    only = "start.answers,room-socket.abort,stop.sigterm"

    ended = prove("--only", only, "--report", "out", "--", sys.executable, "bot.py", cwd=tmp_path)

    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert "cannot tell: only a part was played" in ended.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    rules = {each["id"]: each["verdict"] for each in report["rules"]}
    assert (rules["start.answers"], rules["room-socket.abort"]) == ("pass", "pass")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"report.json", "index.html", "badge.svg", "history.jsonl", "junit.xml", "scenarios"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bot.py", "out"]


@pytest.mark.slow
def test_ctrl_c_reports_what_was_judged_and_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_bytes(BOT.read_bytes())
    (tmp_path / "hangbot-proof.toml").write_text('says = "/ping"\nanswers = "pong"\n', "utf-8")
    argv = [sys.executable, "-m", "hangbot", "prove", "--quick", "--", sys.executable, "bot.py"]
    with subprocess.Popen(  # noqa: S603  our own command
        argv,
        cwd=tmp_path,
        env={**os.environ, "OF_THIS_TEST": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        while " ok " not in process.stderr.readline():
            assert process.poll() is None

        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=10 * WITHIN)

    assert process.returncode == 130
    assert "interrupted: this is what was judged until then" in out
    left = [path for path in Path("/proc").glob("[0-9]*/environ") if str(tmp_path).encode() in read(path)]
    assert left == []


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
