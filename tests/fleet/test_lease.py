"""A lease is what its stores came to; reads only show what the next one has to follow."""

import pytest

from hangbot.clock import Boot
from hangbot.fleet.claim import Claim, Holder
from hangbot.fleet.elapsed import Elapsed
from hangbot.fleet.lease import EVERY, LASTS, MARGIN, Lease
from hangbot.fleet.streams import Entry
from pytest_hangfm.manual_clock import ManualClock

HOLDER = Holder("north", "run-1", "host", 7)


def entry(sequence: int, id_: str = "mine", *, free: bool = False) -> Entry:
    claim = Claim("red", "Red", HOLDER, id_, 1.5, queued=2)
    return Entry("lease.red", sequence, (claim.given_up() if free else claim).to_bytes())


def owned(sequence: int = 5, asked: float = 100.0) -> Lease:
    lease = Lease("red", "mine")
    lease.saw(None, asked)
    lease.stored(sequence, asked)
    return lease


def test_it_lasts_from_just_before_its_store_and_less_than_the_cluster_has_it() -> None:
    lease = owned(5, asked=100.0)

    assert lease.may_act(100.0 + LASTS - MARGIN - 0.01)
    assert not lease.may_act(100.0 + LASTS - MARGIN)
    assert lease.due == 100.0 + EVERY
    assert lease.token == 5


def test_its_number_stays_while_it_is_stored_again() -> None:
    lease = owned(5)

    lease.stored(9, 101.0)

    assert (lease.token, lease.expects) == (5, 9)


def test_something_else_under_an_answered_store_ends_it() -> None:
    lease = owned(5)

    lease.outdated(100.5)
    acts = lease.may_act(100.5)
    lease.saw(entry(6, "another"), 100.6)

    assert not acts
    assert not lease.owned


def test_a_store_that_one_server_refused_and_another_took_ends_nothing() -> None:
    lease = owned(5, asked=100.0)

    lease.outdated(101.0)
    lease.saw(entry(6), 101.1)
    acts, expects = lease.may_act(101.1), lease.expects
    lease.stored(7, 101.1)

    assert (acts, expects) == (False, 6)
    assert lease.may_act(101.2)
    assert lease.token == 5


def test_a_store_without_an_answer_ends_nothing_and_extends_nothing() -> None:
    lease = owned(5, asked=100.0)

    lease.unanswered(101.0)
    lease.outdated(101.1)
    lease.saw(entry(8), 101.2)

    assert lease.owned
    assert lease.may_act(101.9)
    assert lease.expects == 8
    assert not lease.may_act(102.0)


def test_a_read_that_is_behind_shows_nothing() -> None:
    lease = owned(5)
    lease.unanswered(101.0)

    lease.saw(entry(3, "another"), 101.1)

    assert lease.owned
    assert lease.expects == 5


@pytest.mark.parametrize(
    ("newest", "expects"),
    [
        pytest.param(Entry("lease.red", 6, None), 6, id="it has expired"),
        pytest.param(entry(6, "another"), None, id="another one has it"),
        pytest.param(entry(6, "another", free=True), 6, id="another one had it and gave it up"),
        pytest.param(Entry("lease.red", 6, b"?"), None, id="something that cannot be read"),
    ],
)
def test_something_newer_that_is_not_its_own_ends_it(newest: Entry, expects: int | None) -> None:
    lease = owned(5)
    lease.unanswered(101.0)

    lease.saw(newest, 101.1)

    assert not lease.owned
    assert lease.expects == expects


def test_where_nothing_stands_any_more_it_may_be_stored_anew() -> None:
    lease = owned(5, asked=100.0)
    lease.unanswered(101.0)

    lease.saw(None, 101.1)
    early = lease.expects
    lease.saw(None, 200.0)

    assert early == 5
    assert lease.expects == 0


def test_a_claim_is_read_as_it_was_written_and_by_an_earlier_version() -> None:
    claim = Claim("red", "Red", HOLDER, "mine", 1.5, ready=True, queued=2, why="slow")

    assert Claim.from_bytes(claim.to_bytes()) == claim
    assert Claim.from_bytes(claim.to_bytes().replace(b"{", b'{"later":1,', 1)) == claim
    assert Claim.from_bytes(b'{"room":"red"}') is None


class TwoClocks(ManualClock):
    """A monotonic clock, and another one that counts suspension."""

    suspended = 0.0

    def boot(self) -> Boot:
        return Boot("boot", self.now() + self.suspended)


async def test_what_has_passed_is_what_the_faster_clock_says() -> None:
    clock = TwoClocks(auto=True)
    elapsed = Elapsed(clock)

    await clock.sleep(2)
    awake = elapsed()
    clock.suspended = 5
    suspended = elapsed()
    clock.suspended = 0
    back = elapsed()
    await clock.sleep(1)

    assert (awake, suspended, back, elapsed()) == pytest.approx((2, 7, 7, 8))
