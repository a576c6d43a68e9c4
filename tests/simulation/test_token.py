import json
import os
import re
import subprocess
import sys
import zlib
from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hangfm.simulation.fingerprint import made_here
from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.token import MadeWith, TokenError, decode, encode
from tests.bounds import WITHIN
from tests.simulation.plans import PLANS

MADE: Final = MadeWith("3.11", "1a2b3c4d", "5e6f7a8b")
PLAN: Final = Plan(7, env={"HANGBOT_DRAIN": "3"}, faults=(Fault("cut", 10.0, 5.0, {"port": 4001}),))
TOKEN: Final = encode(PLAN, MADE)


def packed(content: bytes) -> str:
    return "sim1-" + urlsafe_b64encode(zlib.compress(content)).decode().rstrip("=")


def holding(**changes: object) -> str:
    """Return a token whose plan has something else in it."""
    plan = {**json.loads(PLAN.as_json()), **changes}
    return packed(json.dumps(["3.11", "a", "b", json.dumps(plan)]).encode())


@given(PLANS)
def test_a_token_holds_the_whole_plan_and_is_one_word_for_a_shell(plan: Plan) -> None:
    token = encode(plan, MADE)

    assert decode(token) == (plan, MADE)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)


def test_a_token_that_a_terminal_wrapped_is_read() -> None:
    wrapped = f"  {TOKEN[:20]}\n   {TOKEN[20:]} \n"

    assert decode(wrapped)[0] == PLAN


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(" \n", "no token was given", id="nothing"),
        pytest.param("eyJhbGciOiJIUzI1NiJ9.e30.secret", "no token of a simulation", id="another word"),
        pytest.param("sim-e30", "no token of a simulation", id="no format"),
        pytest.param("sim2-e30", "is of format sim2, and this hangbot reads sim1", id="another format"),
        pytest.param(TOKEN[:-9], "is not whole", id="its end is missing"),
        pytest.param(TOKEN[:-12] + "A" + TOKEN[-11:], "is not whole", id="a letter is another"),
        pytest.param("sim1-", "is not whole", id="only the prefix"),
        pytest.param("sim1-ä", "is not whole", id="not ASCII"),
        pytest.param(packed(b"\xff\xfe"), "is not whole", id="no text"),
        pytest.param(packed(b"{}"), "is not whole", id="JSON of another kind"),
        pytest.param(packed(b'["3.11","a","b",null]'), "no plan", id="no plan in it"),
        pytest.param(packed(b'["3.11","a","b","{}"]'), "no plan", id="an empty plan"),
        pytest.param(packed(b"[" * 100_000), "is not whole", id="deep"),
        pytest.param(packed(b" " * 5_000_000), "is not whole", id="large"),
        pytest.param(holding(seed="7"), "the seed and the users", id="a seed that is a text"),
        pytest.param(holding(users=-1), "the seed and the users", id="fewer than no users"),
        pytest.param(holding(seconds=float("inf")), "are times", id="without an end"),
        pytest.param(holding(pace=0), "are times", id="all at once"),
        pytest.param(holding(env={"A": 1}), "names and texts", id="a number in the configuration"),
        pytest.param(holding(env=[1]), "no plan", id="no configuration"),
        pytest.param(holding(faults=[{"kind": "cut"}]), "no plan", id="a fault without a time"),
        pytest.param(holding(faults=[{"kind": 1, "at": 1}]), "its class", id="a fault without a class"),
        pytest.param(holding(faults=[{"kind": "c", "at": -1}]), "in seconds", id="a fault before the world"),
        pytest.param(holding(more=1), "no plan", id="a field that is not known"),
    ],
)
def test_a_word_that_cannot_be_read_is_refused_with_one_line(text: str, says: str) -> None:
    with pytest.raises(TokenError, match=says) as refused:
        decode(text)

    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


@given(st.text() | st.text("ABCDEFGHabcdefgh0123-_").map("sim1-".__add__))
def test_no_text_does_anything_else_than_be_refused(text: str) -> None:
    with pytest.raises(TokenError):
        decode(text)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (MADE, ""),
        (replace(MADE, python="3.13"), "Python 3.13, here is 3.11"),
        (replace(MADE, libraries="x"), "other versions of libraries"),
        (replace(MADE, code="x"), "other code of hangbot (x, here is 5e6f7a8b)"),
        (MadeWith("3.12", "x", "5e6f7a8b"), "Python 3.12, here is 3.11; other versions of libraries"),
    ],
)
def test_what_a_token_was_made_with_is_compared_with_what_is_here(made: MadeWith, says: str) -> None:
    assert made.difference(MADE) == says


def test_what_is_here_is_the_same_in_each_process() -> None:
    program = "from pytest_hangfm.simulation.fingerprint import made_here; print(made_here())"

    done = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=True,
    )

    assert done.stdout.strip() == str(made_here())
    assert made_here().python == f"{sys.version_info.major}.{sys.version_info.minor}"
