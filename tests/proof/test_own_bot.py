"""hangbot itself is proven: the example of the repository breaks no rule."""

import os
import sys
from pathlib import Path
from typing import Final

import pytest

from pytest_hangfm.proof.profile import Profile
from pytest_hangfm.proof.run import prove, search
from pytest_hangfm.proof.scenario import load

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
WHOLE: Final = os.environ.get("HANGBOT_PROVE_ALL") == "1"
"""Whether everything is played that a run without ``--long`` plays, which takes eight minutes."""
MYBOT: Final = Profile(
    says="/ping",
    answers="pong",
    push=True,
    direct=True,
    health="http://127.0.0.1:{port}/readyz",
    port_env="HANGBOT_STATUS_PORT",
    start=3.0,
)
ARGV: Final = (sys.executable, "-m", "hangbot", "run", "--app", "mybot:on_message")
SLOWEST: Final = 12.0
SEARCHED: Final = 3.0
"""Minutes."""


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_the_example_breaks_no_rule(tmp_path: Path) -> None:
    (tmp_path / "mybot.py").write_bytes((EXAMPLES / "mybot.py").read_bytes())
    most = float("inf") if WHOLE else SLOWEST
    names = [each.id for each in load().values() if each.pace != "long" and each.seconds <= most]

    rules = await prove(ARGV, tmp_path, names, profile=MYBOT)

    broken = {
        name: verdict for name, verdict in rules.items() if verdict[0] not in {"pass", "not_applicable"}
    }
    assert broken == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not WHOLE, reason="three minutes by chance: make prove-all plays it")
async def test_the_example_comes_through_the_search(tmp_path: Path) -> None:
    (tmp_path / "mybot.py").write_bytes((EXAMPLES / "mybot.py").read_bytes())

    outcome = await search(ARGV, tmp_path, SEARCHED, profile=MYBOT)

    assert outcome.found == ()
    assert [verdict for verdict in outcome.verdicts if verdict.kind != "pass"] == []
