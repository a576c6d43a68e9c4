"""The search with real bots: what only two faults together show is found, by nothing but searching."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from pytest_hangfm.proof.profile import render
from pytest_hangfm.proof.run import search
from pytest_hangfm.proof.search.kinds import read_token
from pytest_hangfm.simulation.fingerprint import made_here
from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.token import PROOF, encode
from tests.bounds import WITHIN
from tests.proof.bots.planted import PROFILES, Planted, need, planted
from tests.source_tree import ROOT

EVERYTHING: Final = os.environ.get("HANGBOT_PROVE_PLANTED") == "all"
IN_PAIRS: Final = [pytest.param(bot, id=bot.fault) for bot in planted() if bot.pair]
BOT: Final = (sys.executable, "-m", "tests.proof.bots.python.bot")
LOST_TWICE: Final = Plan(
    0,
    8.0,
    pace=3.0,
    faults=(Fault("chat.lookup-503", 0.5, 5.0), Fault("chat.answer-lost", 1.0, 5.0)),
)
"""An answer is lost, and so is the question for it."""


def command(folder: Path, *words: str, fault: str = "") -> subprocess.Popen[str]:
    (folder / "hangbot-proof.toml").write_text(render(PROFILES["python"]), "utf-8")
    return subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-m", "hangbot", "prove", *words, "--", *BOT],
        cwd=folder,
        env={**os.environ, "FAULT": fault, "PYTHONPATH": str(ROOT), "OF_THIS_TEST": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(not EVERYTHING, reason="three minutes by chance for each: make prove-all plays them")
@pytest.mark.parametrize("bot", IN_PAIRS)
async def test_what_only_two_faults_together_show_is_found_within_three_minutes(
    bot: Planted, tmp_path: Path
) -> None:
    need(bot.language)

    outcome = await search(bot.argv, tmp_path, 3.0, profile=bot.profile, env=bot.env)

    found = {found.rule: found for found in outcome.found}
    assert set(found) & {"search.once", "search.lost", "search.recovers"}
    # Its pauses are drawn by chance, so that not each play meets the moment: most of them do.
    assert any(len(each.faults) <= 3 and each.failed > each.times / 2 >= 4 for each in found.values()), found
    assert all(read_token(each.token)[0].faults for each in found.values())


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(not EVERYTHING, reason="a minute by chance: make prove-all plays it")
async def test_a_sound_bot_comes_through_a_minute_of_search(tmp_path: Path) -> None:
    sound = Planted("", "python")

    outcome = await search(sound.argv, tmp_path, 1.0, profile=sound.profile, env=sound.env)

    assert outcome.found == ()


@pytest.mark.slow
def test_a_schedule_is_replayed_with_a_bot_that_fails_in_it_and_with_one_that_is_mended(
    tmp_path: Path,
) -> None:
    token = encode(LOST_TWICE, made_here(), PROOF)

    with command(tmp_path, "--replay", token, "--report", "out", fault="asks-carelessly") as failing:
        told, _ = failing.communicate(timeout=2 * WITHIN)
    with command(tmp_path, "--replay", token) as mended:
        mended.communicate(timeout=2 * WITHIN)

    assert (failing.returncode, mended.returncode) == (1, 0)
    assert "platinum search.once: FAILS" in told
    assert re.search(r"replay: hangbot prove --replay prove1-[\w-]+ -- \S+ -m tests", told)
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert [each["rule"] for each in report["scenarios"][0]["found"]] == ["search.once"]
    assert "chat.answer-lost at 1 s" in (tmp_path / "out" / "scenarios" / "search.html").read_text("utf-8")


@pytest.mark.slow
def test_ctrl_c_in_the_search_reports_what_was_searched_and_leaves_nothing_running(tmp_path: Path) -> None:
    with command(tmp_path, "--only", "search", "--search", "20", "--side-by-side", "2") as process:
        assert process.stderr is not None
        while "schedules were played" not in process.stderr.readline():
            assert process.poll() is None

        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=2 * WITHIN)

    assert process.returncode == 130
    assert "interrupted: this is what was judged until then" in told
    assert "schedules of faults played" in told
    left = [path for path in Path("/proc").glob("[0-9]*/environ") if _holds(path, str(tmp_path))]
    assert left == []


def _holds(path: Path, text: str) -> bool:
    try:
        return text.encode() in path.read_bytes()
    except OSError:
        return False
