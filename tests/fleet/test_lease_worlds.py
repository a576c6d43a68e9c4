"""Workers that pause at will, late answers, stale reads: never two that act, and a free room is taken.

A few worlds, and bugs that they find; `tests/fleet/proofs/test_lease_worlds.py` plays a thousand.
"""

from collections.abc import Callable
from typing import Any

import pytest

from hangbot.fleet import lease
from hangbot.fleet.claim import Claim
from hangbot.fleet.lease import Lease
from hangbot.fleet.streams import Entry
from pytest_hangfm.simulation.stream_servers import ServedStream
from tests.fleet.lease_world import LeaseWorld, play

WORLDS = 25
MOST_WORLDS = 150
"""So many are played until a planted bug must have been found."""


def no_margin(patch: pytest.MonkeyPatch) -> None:
    """The owner acts until the lease ends."""
    patch.setattr(lease, "MARGIN", 0.0)


def counted_from_the_answer(patch: pytest.MonkeyPatch) -> None:
    """The lease begins when its store is answered."""
    stored = Lease.stored

    def answered(self: Lease, sequence: int, asked: float) -> None:
        stored(self, sequence, asked + 1.5)

    patch.setattr(Lease, "stored", answered)


def reads_decide(patch: pytest.MonkeyPatch) -> None:
    """An own entry that is read is as good as an answer."""
    saw = Lease.saw

    def believing(self: Lease, newest: Entry | None, now: float) -> None:
        saw(self, newest, now)
        claim = Claim.from_bytes(newest.data) if newest and newest.data else None
        if newest and claim and claim.id == self.id:
            self.stored(newest.sequence, now)

    patch.setattr(Lease, "saw", believing)


def no_answer_is_an_answer(patch: pytest.MonkeyPatch) -> None:
    """What is asked for is taken for stored."""
    unanswered = Lease.unanswered

    def confident(self: Lease, now: float) -> None:
        unanswered(self, now)
        if self.owned:
            self.until = now + 2.0

    patch.setattr(Lease, "unanswered", confident)


def nothing_is_expected(patch: pytest.MonkeyPatch) -> None:
    """A lease is stored again whatever stands there."""
    store = ServedStream.store

    def careless(self: ServedStream, subject: str, data: bytes, *, last: int, **more: Any) -> int:  # noqa: ANN401
        standing = self.newest([subject])
        if subject.startswith("lease.") and last and standing:
            last = standing[0].sequence
        return store(self, subject, data, last=last, **more)

    patch.setattr(ServedStream, "store", careless)


@pytest.mark.parametrize("seed", range(WORLDS))
def test_no_two_workers_act_on_a_room_and_a_free_one_is_taken(seed: int) -> None:
    seen = play(LeaseWorld(seed, workers=2 + seed % 2))

    assert not seen.wrong
    assert seen.acts
    assert seen.takeovers > 2
    assert seen.lapses


@pytest.mark.parametrize(
    "plant",
    [no_margin, counted_from_the_answer, reads_decide, no_answer_is_an_answer, nothing_is_expected],
)
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)

    found = next((seed for seed in range(MOST_WORLDS) if play(LeaseWorld(seed)).wrong), None)

    assert found is not None
