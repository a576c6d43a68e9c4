"""A wall clock that was set: fresh messages stay fresh, and what is really too old is told in one line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from hangbot import clock
from hangbot.cli import main
from hangbot.clock import SystemClock
from hangbot.delivery.outbox import exclusive

if TYPE_CHECKING:
    from tests.cli.conftest import Bench

DAYS = 30 * 86_400.0


@pytest.fixture
def queued(bench: Bench) -> Bench:
    with exclusive(bench.outbox):
        for number in range(3):
            assert main(["send", f"fresh {number}", "--id", f"m-{number}"]) == 0
    return bench


@pytest.fixture
def set_forward(queued: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(SystemClock, "wall", lambda _: time.time() + DAYS)
    return queued


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no such clock")
def test_a_wall_clock_that_jumps_ahead_by_days_expires_nothing(set_forward: Bench) -> None:
    assert main(["send", "now", "--id", "now"]) == 0

    assert set_forward.muids == ["m-0", "m-1", "m-2", "now"]


def test_after_another_start_of_the_machine_what_is_too_old_is_one_line(
    set_forward: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "_boot_id", lambda: "another")
    accepted = time.strftime("%Y-%m-%d", time.gmtime())
    now = time.strftime("%Y-%m-%d", time.gmtime(time.time() + DAYS))

    code, _, said = set_forward.call("send", "now", "--id", "now")

    assert (code, set_forward.muids) == (0, ["now"])
    assert set_forward.call.states() == ["expired"] * 3 + ["delivered"]
    (line,) = (line for line in said.splitlines() if "ERROR" in line)
    for words in ("3 messages are too old", f"oldest is of {accepted}", f"clock now says {now}"):
        assert words in line
    shown = set_forward.call.printed("outbox", "show", "m-0")
    assert "older than its time to live when the bot began" in shown
