import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from pytest_hangfm.simulation.command import main
from pytest_hangfm.simulation.corpus import Kept, read, write
from pytest_hangfm.simulation.fingerprint import made_here
from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.token import encode
from tests.bounds import WITHIN
from tests.simulation.toy import KINDS, RIG, calm, draw

BAD: Final = Plan(
    7, env={"HANGBOT_DRAIN": "3"}, faults=(Fault("cut", 10.0), Fault("noise", 11.5), Fault("crash", 12.0))
)
TOKEN: Final = encode(BAD, made_here())


def call(*words: str) -> int:
    return main(words, rig=RIG, draw=draw, kinds=KINDS)


def refused(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        call(*words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def last(output: str) -> dict[str, object]:
    said = json.loads(output.splitlines()[-1])
    assert isinstance(said, dict)
    return said


def test_a_search_shows_each_failure_the_command_that_replays_it_the_counts_and_the_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "a" / "found"

    code = call("--seeds", "12", "--from", "20", "--processes", "2", "--keep", str(folder), "--pairs")

    out, err = capsys.readouterr()
    said = last(out)
    replays = [line for line in out.splitlines() if line.startswith("replay it: ")]
    assert code == 1
    assert list(said) == ["seeds", "failed", "virtual_hours", "fired", "hash"]
    assert (said["seeds"], said["failed"]) == (12, len(replays))
    assert "FAILED: once: m-1 was stored twice\n  shrunk from 9 faults to 2, in " in out
    assert "a story of 6 events, 1 violations" in out
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("  crash", "  cut", "  noise"))]
    assert "where they met the bot:" in out
    assert "12 of 12 worlds, 1.6 virtual hours" in err
    assert len(read(folder)) == len(replays) > 0
    assert {kept.rule for kept in read(folder)} == {"once"}

    token = replays[0].split()[-1]
    assert call("--replay", token) == 1
    assert "FAILED: once: m-1 was stored twice" in capsys.readouterr().out


def test_a_search_that_finds_nothing_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(("--seeds", "100"), rig=RIG, draw=calm, kinds=KINDS)

    assert code == 0
    assert "TOO FEW" not in capsys.readouterr().out


@pytest.mark.parametrize(("seeds", "code"), [(99, 0), (100, 1)])
def test_a_class_of_faults_that_does_nothing_fails_a_search_of_a_hundred(
    seeds: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = (*KINDS, "idle")

    assert main(("--seeds", str(seeds)), rig=RIG, draw=calm, kinds=kinds) == code

    out, _ = capsys.readouterr()
    assert ("idle       0  TOO FEW" in out) is ("FAILED: idle: too few" in out) is bool(code)
    assert last(out)["failed"] == 0


def test_a_replay_tells_the_story_and_what_was_broken(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--replay", TOKEN) == 1
    first, err = capsys.readouterr()
    assert call("--replay", f" {TOKEN[:30]} \n {TOKEN[30:]}", "--times", "3") == 1
    again, _ = capsys.readouterr()

    assert first.splitlines()[:2] == [
        "a story of 7 events, 1 violations, seed 7",
        "FAILED: once: m-1 was stored twice",
    ]
    assert err == ""
    assert first.splitlines()[:2] == again.splitlines()[:2]
    assert last(again)["seeds"] == 3


def test_a_replay_of_a_plan_that_is_well_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--replay", encode(calm(1), made_here()), "--pairs") == 0

    assert "no rule is broken" in capsys.readouterr().out


def test_a_token_can_be_shrunk_and_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--replay", TOKEN, "--shrink") == 1
    shrunk, _ = capsys.readouterr()
    assert call("--replay", TOKEN, "--plan") == 0
    plan, _ = capsys.readouterr()

    assert "shrunk from 3 faults to 2" in shrunk
    assert "HANGBOT_DRAIN" not in shrunk
    assert Plan.from_json(plan) == BAD


def test_a_search_can_end_at_the_first_failure_and_take_fewer_plays_to_shrink_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = call("--seeds", "500", "--from", "20", "--processes", "1", "--first", "--tries", "1")

    out, _ = capsys.readouterr()
    assert code == 1
    assert last(out)["failed"] == 1
    assert int(str(last(out)["seeds"])) < 500
    assert "in 1 plays" in out


def test_histories_that_differ_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    token = encode(replace(BAD, faults=(Fault("chance", 1.0),)), made_here())

    code = main(("--replay", token, "--times", "3"), rig=RIG, draw=draw, kinds=("chance",))

    assert code == 1
    assert "NOT DETERMINISTIC: 3 histories in 3 plays of one plan" in capsys.readouterr().out


def test_an_older_token_is_named_and_its_own_plan_is_played(capsys: pytest.CaptureFixture[str]) -> None:
    code = call("--replay", encode(BAD, replace(made_here(), code="0ld", python="3.10")))

    out, err = capsys.readouterr()
    assert code == 1
    assert "FAILED: once" in out
    assert err.startswith("made with Python 3.10, here is ")
    assert err.endswith("the same seed gives another schedule now. Its own plan is played.\n")
    assert "other code of hangbot (0ld, here is " in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(("--seeds", "0"), "--seeds: '0' is not a number from 1 to", id="no seeds"),
        pytest.param(("--seeds", ""), "--seeds: '' is not a number", id="an empty number"),
        pytest.param(("--seeds", "many"), "--seeds: 'many' is not a number", id="a word"),
        pytest.param(("--seeds", "-3"), "--seeds", id="less than none"),
        pytest.param(("--from", "1.5"), "--from: '1.5' is not a number", id="half a seed"),
        pytest.param(("--replay", ""), "no token was given", id="no token"),
        pytest.param(("--replay", "xyz"), "this is no token of a simulation", id="a foreign token"),
        pytest.param(("--replay", TOKEN[:-7]), "is not whole", id="a token that was cut"),
        pytest.param(("--replay", "sim9-aaaa"), "is of format sim9", id="a later format"),
        pytest.param(
            ("--replay", encode(Plan(1, faults=(Fault("flood", 1.0),)), made_here())),
            "has faults that are not known here (flood)",
            id="a fault of another version",
        ),
        pytest.param(("--keep", "/dev/null/found"), "the folder cannot be made", id="no folder"),
        pytest.param(("--seed", "3"), "unrecognized arguments", id="no such option"),
    ],
)
def test_a_wrong_call_is_one_line_and_2(
    words: Sequence[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(*words) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.startswith("simulation: ")
    assert err.count("\n") == 1


def test_the_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused("--help") == 0

    out, _ = capsys.readouterr()
    options = "seeds from first replay times plan shrink tries pairs keep"
    assert [f"--{option}" for option in options.split() if f"--{option}" not in out] == []


def test_ctrl_c_ends_all_processes_within_a_second_and_the_last_line_is_printed() -> None:
    search = subprocess.Popen(
        [sys.executable, "-m", "tests.simulation.toy", "draw_slow", "--seeds", "500", "--processes", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert search.stdout is not None
        first = search.stdout.readline()
        began = time.monotonic()
        os.killpg(search.pid, signal.SIGINT)
        rest, err = search.communicate(timeout=WITHIN)
        took = time.monotonic() - began
    finally:
        with suppress(ProcessLookupError):
            os.killpg(search.pid, signal.SIGKILL)
        search.communicate()

    said = last(first + rest)
    assert search.returncode == 130
    assert 0 < int(str(said["seeds"])) < 500
    assert "interrupted: " in err
    assert "Traceback" not in err
    assert took < WITHIN / 10


def test_what_is_kept_is_read_again_and_anything_else_is_refused(tmp_path: Path) -> None:
    kept = Kept("a-doubled-answer", "once", "an answer came twice", BAD)

    path = write(tmp_path, kept)

    assert read(tmp_path) == (kept,)
    assert path.name == "a-doubled-answer.json"
    for wrong in (
        "",
        "[]",
        "{}",
        '{"rule": "once", "what": "", "plan": {}}',
        '{"rule": 1, "what": 2, "plan": 3}',
    ):
        path.write_text(wrong)
        with pytest.raises(ValueError, match=r"plan|a-doubled-answer"):
            read(tmp_path)


def own(*words: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Call the command over hangbot's own bot."""
    return subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-m", "pytest_hangfm.simulation", *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=WITHIN,
        check=False,
    )


def test_the_command_plays_worlds_of_hangbots_own_bot() -> None:
    done = own("--replay", encode(Plan(1, seconds=20.0), made_here()))

    assert (done.returncode, done.stderr) == (0, "")
    assert "the app" in done.stdout
    assert last(done.stdout)["failed"] == 0


def test_the_command_refuses_a_search_of_nothing_with_one_line() -> None:
    done = own("--seeds", "0")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "simulation: argument --seeds: '0' is not a number from 1 to 1000000000\n"


def test_a_reader_who_has_read_enough_ends_the_command_without_a_traceback() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    try:
        done = own("--replay", encode(Plan(1), made_here()), "--plan", stdout=writes)
    finally:
        os.close(writes)

    assert (done.returncode, done.stderr) == (1, "")
