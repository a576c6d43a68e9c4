"""What cannot be printed changes nothing of what was done, nor the exit code that tells of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.bounds import WITHIN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bench

HANGBOT: Final = f"{sys.executable} -m hangbot"
FULL: Final = "hangbot: standard output cannot be written (No space left on device); "
ASCII: Final = {"PYTHONIOENCODING": "ascii:strict"}
C_LOCALE: Final = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ODD: Final = "Caf\u00e9 \U0001f3b5"


def shell(folder: Path, line: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a line of a shell; every `hangbot` in it is ours."""
    return subprocess.run(  # noqa: S603  our own words
        ["bash", "-c", line.replace("hangbot ", f"{HANGBOT} ", 1)],  # noqa: S607  found on the path like everywhere
        cwd=folder,
        capture_output=True,
        timeout=2 * WITHIN,
        check=False,
        env=os.environ | (env or {}),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("hangbot send hello >/dev/full", FULL, id="full"),
        pytest.param("hangbot send hello --json --wait 50 >/dev/full", FULL, id="full, as JSON"),
        pytest.param("hangbot send hello >/dev/full 2>/dev/full", "", id="both full"),
        pytest.param(
            "hangbot send hello >&-",
            "hangbot: standard output cannot be written (it is closed); ",
            id="closed",
        ),
        pytest.param("hangbot send hello <&- >&- 2>&-", "", id="all closed"),
        pytest.param("hangbot send hello --log-level debug 2>/dev/full", "", id="no place for logs"),
        pytest.param("hangbot send hello --log-level debug 2>&-", "", id="logs closed"),
        pytest.param("exec 3> >(true); sleep 0.2; hangbot send hello >&3", "", id="a reader that has gone"),
        pytest.param("seq 3 | hangbot send --stdin >/dev/full", FULL, id="three lines"),
    ],
)
def test_what_was_accepted_is_told_as_that_wherever_the_id_went(line: str, said: str, bench: Bench) -> None:
    ended = shell(bench.folder, line)

    told = ended.stderr.decode()
    assert ended.returncode == 0, told
    assert len(bench.muids) == (3 if "seq" in line else 1)
    assert told.count("hangbot: ") == (1 if said else 0)
    assert said in told


@pytest.mark.slow
@pytest.mark.parametrize("env", [ASCII, C_LOCALE], ids=["ascii", "C"])
def test_no_letter_stops_a_command_whatever_the_encoding(env: dict[str, str], bench: Bench) -> None:
    bench.sandbox.room.state["settings"]["name"] = ODD
    sent = shell(bench.folder, f'hangbot send "{ODD}" --json', env)
    more = shell(bench.folder, f'echo "{ODD}" | hangbot send --stdin', env)
    listed = shell(bench.folder, "hangbot outbox list", env)
    checked = shell(bench.folder, "hangbot preflight", env)

    assert [ended.returncode for ended in (sent, more, listed, checked)] == [0] * 4
    assert bench.texts == [ODD] * 2
    assert b"Caf\\xe9" in listed.stdout
    assert b"Caf\\xe9" in checked.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param("hangbot preflight >/dev/full", 0, id="preflight"),
        pytest.param("hangbot preflight --json >&-", 0, id="preflight as JSON"),
        pytest.param("GITHUB_STEP_SUMMARY=/dev/full hangbot preflight >/dev/full", 0, id="a full page"),
        pytest.param("SOCKET_SERVER_URL=http://127.0.0.1:9 hangbot preflight >&-", 3, id="cannot tell"),
        pytest.param("ROOM_UUID=r/ hangbot preflight >/dev/full", 2, id="misconfigured"),
        pytest.param("hangbot outbox retry --all-failed >/dev/full", 0, id="retry"),
        pytest.param("hangbot outbox list >/dev/full", 1, id="list"),
        pytest.param("hangbot outbox stats --json >&-", 1, id="stats"),
        pytest.param("hangbot --version >/dev/full", 1, id="version"),
        pytest.param("hangbot send --help >/dev/full", 1, id="help"),
        pytest.param("hangbot send 2>/dev/full", 2, id="a wrong call"),
    ],
)
def test_the_exit_code_is_the_outcome_and_only_what_was_asked_for_to_be_shown_fails_unshown(
    line: str, code: int, bench: Bench
) -> None:
    assert bench
    shell(bench.folder, "hangbot send hello")

    ended = shell(bench.folder, line)

    told = ended.stderr.decode()
    assert ended.returncode == code
    assert "fault of hangbot" not in told
    assert "Traceback" not in told
    assert ("standard output cannot be written" in told) == ("2>" not in line)


@pytest.mark.slow
def test_a_bot_whose_output_is_full_runs_and_its_report_changes_nothing(bench: Bench) -> None:
    with subprocess.Popen(  # noqa: S603  our own words
        ["bash", "-c", f"exec {HANGBOT} run >/dev/full 2>/dev/full"],  # noqa: S607  found on the path like everywhere
        cwd=bench.folder,
        env=os.environ | {"BOOT_MESSAGE": "here"},
    ) as bot:
        bench.wait_for(lambda row: row.get("method") == "POST" and str(row["path"]).endswith("/messages"))
        bot.send_signal(signal.SIGTERM)
        code = bot.wait(WITHIN)

    assert code == 0
    assert len(bench.muids) == 1


@pytest.mark.slow
def test_a_sandbox_whose_first_line_nobody_reads_serves_all_the_same(folder: Path) -> None:
    with subprocess.Popen(  # noqa: S603  our own words
        ["bash", "-c", f"exec {HANGBOT} sandbox --env-out bot.env >&-"],  # noqa: S607  found on the path like everywhere
        cwd=folder,
        stderr=subprocess.PIPE,
    ) as sandbox:
        assert sandbox.stderr is not None
        told = sandbox.stderr.readline()
        checked = shell(folder, "hangbot preflight --env-file bot.env")
        sandbox.send_signal(signal.SIGTERM)
        code = sandbox.wait(WITHIN)

    assert told.startswith(b"hangbot: standard output cannot be written (it is closed); ")
    assert (checked.returncode, code) == (0, 0)
