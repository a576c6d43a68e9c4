from hangbot.bot.pace import ReconnectPace
from hangbot.delivery.retry import RetryPolicy
from tests.rng import FixedRng


def pace(chance: float = 1.0) -> ReconnectPace:
    """Return one whose chance always says the most: 1, 2, 4 … 60 s; or another share of it."""
    return ReconnectPace(RetryPolicy(strategy="full", longest=60.0, jitter=0.0), FixedRng(chance))


def lost(pace: ReconnectPace, *, after: float | None = None) -> float:
    """Lose a connection, after so many seconds in the room if it got there; return the wait."""
    if after is not None:
        pace.joined(0.0)
    pace.left(after or 0.0)
    return pace.next_wait(reset=False, refused=False)


def test_each_try_that_fails_waits_longer() -> None:
    tries = pace()

    assert [lost(tries) for _ in range(8)] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_bots_that_were_lost_together_do_not_return_together() -> None:
    tries = pace(0.25)

    assert [lost(tries) for _ in range(3)] == [0.25, 0.5, 1.0]


def test_the_first_try_after_a_drop_comes_soon_also_where_it_took_many_to_get_in() -> None:
    tries = pace()
    for _ in range(20):
        lost(tries)

    assert lost(tries, after=5.0) == 1.0


def test_connections_that_never_hold_are_made_ever_more_seldom() -> None:
    tries = pace()

    assert [lost(tries, after=5.0) for _ in range(4)] == [1.0, 2.0, 4.0, 8.0]
    assert lost(tries, after=61.0) == 1.0


def test_a_reset_room_is_there_and_a_refused_token_is_not_mended_by_waiting() -> None:
    tries = pace()

    assert tries.next_wait(reset=True, refused=False) == 0.0
    assert tries.next_wait(reset=True, refused=False) == 2.0
    assert tries.next_wait(reset=False, refused=True) == 60.0
