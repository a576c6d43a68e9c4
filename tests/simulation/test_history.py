import os
import subprocess
import sys
from dataclasses import replace

from pytest_hangfm.simulation.history import FaultBegan, History, Opened, journal_hash
from tests.bounds import WITHIN


def test_the_hash_of_a_history_is_that_of_its_events() -> None:
    began = FaultBegan(1.0, 0, "outage", frozenset({"room", "chat", "push", "send"}))
    events = (Opened(0.5, "room", 1), began)

    assert journal_hash(History(events)) == journal_hash(History(events, bot="other"))
    different = {
        journal_hash(History(others))
        for others in (
            (),
            events[:1],
            events[::-1],
            (*events[:1], replace(began, impairs=frozenset({"room"}))),
        )
    }
    assert len(different | {journal_hash(History(events))}) == 5


def test_the_hash_of_a_history_does_not_depend_on_the_order_of_sets() -> None:
    program = (
        "from pytest_hangfm.simulation.history import *; "
        "print(journal_hash(History((FaultBegan(1.0, 0, 'outage', frozenset({'room', 'chat', 'push'})),))))"
    )

    hashes = {
        subprocess.run(  # noqa: S603  our own program
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=True,
        ).stdout
        for seed in range(4)
    }

    assert len(hashes) == 1
