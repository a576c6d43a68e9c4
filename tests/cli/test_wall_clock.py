"""A wall clock that was set: fresh messages stay fresh, and what is really too old is told in one line."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from hangbot import clock
from hangbot.cli import main
from hangbot.clock import SystemClock
from hangbot.delivery.outbox import exclusive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Live

DAYS = 30 * 86_400.0


@pytest.fixture
def queued(configured: Live, folder: Path, capsys: pytest.CaptureFixture[str]) -> Live:
    with exclusive(folder / "outbox.sqlite3"):
        for number in range(3):
            assert main(["send", f"fresh {number}", "--id", f"m-{number}"]) == 0
    capsys.readouterr()
    return configured


@pytest.fixture
def set_forward(queued: Live, monkeypatch: pytest.MonkeyPatch) -> Live:
    monkeypatch.setattr(SystemClock, "wall", lambda _: time.time() + DAYS)
    return queued


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no such clock")
def test_a_wall_clock_that_jumps_ahead_by_days_expires_nothing(set_forward: Live) -> None:
    assert main(["send", "now", "--id", "now"]) == 0

    assert set_forward.muids == ["m-0", "m-1", "m-2", "now"]


def test_after_another_start_of_the_machine_what_is_too_old_is_one_line(
    set_forward: Live, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(clock, "_boot_id", lambda: "another")
    accepted = time.strftime("%Y-%m-%d", time.gmtime())
    now = time.strftime("%Y-%m-%d", time.gmtime(time.time() + DAYS))

    assert main(["send", "now", "--id", "now"]) == 0
    said = capsys.readouterr().err
    assert main(["outbox", "list", "--json"]) == 0

    rows = json.loads(capsys.readouterr().out)
    assert set_forward.muids == ["now"]
    assert [row["state"] for row in rows] == ["expired"] * 3 + ["delivered"]
    lines = [line for line in said.splitlines() if "ERROR" in line]
    assert len(lines) == 1
    assert "3 messages are too old to be sent" in lines[0]
    assert f"the oldest is of {accepted}" in lines[0]
    assert f"the clock now says {now}" in lines[0]
    assert main(["outbox", "show", "m-0"]) == 0
    assert "older than its time to live when the bot began" in capsys.readouterr().out
