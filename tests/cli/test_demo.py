from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

from hangbot.cli import demo
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.cli.conftest import Call


def test_the_tour_shows_every_tier_and_ends_well(folder: Path, call: Call) -> None:
    printed = call("demo")

    assert printed.code == 0
    assert printed.err == ""
    assert [line for line in printed.out.splitlines() if "[FAIL]" in line] == []
    for words in (
        "BOT_USER_TOKEN              <masked>",
        "scaled down",
        "[OK]   Bot is in the room",
        "tier 1, delivered after 1 attempt(s)",
        "tier 2, delivered after 1 attempt(s)",
        "tier 2, delivered after 2 attempt(s)",
        "tier 3, failed after 3 attempt(s)",
        "delivered 3 (first try 25.0%), retried 2, failed 1, uncertain 0, left in the outbox 0",
        "the room saw every delivered message exactly once",
        "stopped cleanly",
    ):
        assert words in printed.out
    assert "eyJ" not in printed.out
    assert list(folder.iterdir()) == []


def test_an_outcome_that_is_not_the_announced_one_is_1(monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    wrong = demo._Scenario("hello", "nothing goes wrong", tier=3)
    monkeypatch.setattr(demo, "_SCENARIOS", (wrong,))

    code, out, _ = call("demo")

    assert code == 1
    assert '[FAIL] "hello": nothing goes wrong -> tier 1' in out
    assert out.endswith("not as announced: see above\n")


def test_an_interrupted_tour_ends_at_once_and_says_so(monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    never = demo._Scenario("hello", "no answer, ever", tier=1, fault="hang", times=0)
    monkeypatch.setattr(demo, "_SCENARIOS", (never,))
    monkeypatch.setitem(demo._SCALED, "HANGBOT_DRAIN_MS", "50")
    playing = threading.Event()
    play = demo._run_scenario

    async def seen(*args: object) -> bool:
        playing.set()
        return await play(*args)  # type: ignore[arg-type]  # passed on as they are

    monkeypatch.setattr(demo, "_run_scenario", seen)

    def interrupt() -> None:
        if playing.wait(WITHIN):
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, name="operator")
    thread.start()
    said = call("demo")
    thread.join()

    assert said.code == 130
    assert said.out.endswith("stopped before the end\n")
