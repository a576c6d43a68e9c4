from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.minutes import some_minutes

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("minutes", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_minutes_are_the_same_twice_and_every_message_arrives_once(minutes: int, tmp_path: Path) -> None:
    folder = tmp_path / "run"

    first, second, other = (some_minutes(seed, folder, minutes) for seed in (7, 7, 8))

    for (said, arrived), run in (first, second, other):
        assert (run.uses, run.failures) == ([], [])
        assert sorted(arrived) == sorted(said)
        assert len(said) > minutes
    assert first[1].log == second[1].log
    assert first[1].steps == second[1].steps
    assert first[1].journal == second[1].journal
    assert first[1].journal != other[1].journal


@pytest.mark.slow
def test_in_ten_minutes_things_happen(tmp_path: Path) -> None:
    _, run = some_minutes(7, tmp_path / "run", 10)

    journal, log = run.journal.decode(), "\n".join(run.log)
    assert {step.settlement.tier for step in run.steps if step.settlement} >= {1, 2}
    for happened in ("has been up for", "pong", "playedSong", "votedOnSong", "cut_after_store"):
        assert happened in journal
    for happened in ("state lost", "close code 1006", "the chat is down"):
        assert happened in log
