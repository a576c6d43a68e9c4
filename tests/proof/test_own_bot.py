"""hangbot itself is proven: the example of the repository breaks no rule."""

import os
import sys
from pathlib import Path
from typing import Final

import pytest

from pytest_hangfm.proof.profile import Profile
from pytest_hangfm.proof.run import prove
from pytest_hangfm.proof.scenario import load

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
WHOLE: Final = os.environ.get("HANGBOT_PROVE_ALL") == "1"
"""Whether everything is played that a run without ``--long`` plays, which takes five minutes."""
MYBOT: Final = Profile(
    says="/ping",
    answers="pong",
    push=True,
    direct=True,
    health="http://127.0.0.1:{port}/readyz",
    port_env="HANGBOT_STATUS_PORT",
    start=3.0,
)
SLOWEST: Final = 12.0


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_the_example_breaks_no_rule(tmp_path: Path) -> None:
    (tmp_path / "mybot.py").write_bytes((EXAMPLES / "mybot.py").read_bytes())
    argv = [sys.executable, "-m", "hangbot", "run", "--app", "mybot:on_message"]
    most = float("inf") if WHOLE else SLOWEST
    names = [each.id for each in load().values() if each.pace != "long" and each.seconds <= most]

    rules = await prove(argv, tmp_path, names, profile=MYBOT)

    broken = {
        name: verdict for name, verdict in rules.items() if verdict[0] not in {"pass", "not_applicable"}
    }
    assert broken == {}
