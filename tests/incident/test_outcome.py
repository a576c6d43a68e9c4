"""Two runs side by side: what is a difference, and what proves nothing."""

from hangbot.incident.conversation import conversation
from hangbot.incident.outcome import Fact, compared, is_alike

SENT = Fact(1.0, "message #.1", "delivered, tier 1, 1 attempt")
RED = Fact(30.0, "health of chat", "red")
LOOK = Fact(20.0, "chat GET /v3.0/conversations", "status 200")


def test_the_same_in_another_order_and_at_another_time_is_alike() -> None:
    pairs = compared([SENT, RED], [RED._replace(t=29.0), SENT._replace(t=1.5)], 60.0)

    assert is_alike(pairs)
    assert list(conversation(pairs)) == [
        "       1.00      1.50  message #.1: delivered, tier 1, 1 attempt",
        "      30.00     29.00  health of chat: red",
    ]


def test_what_only_one_of_two_runs_did_is_a_difference() -> None:
    only_then, only_now = compared([SENT, RED], [SENT], 60.0), compared([SENT], [SENT, RED], 60.0)

    assert not is_alike(only_then)
    assert not is_alike(only_now)
    assert list(conversation(only_then, differences=True)) == ["-     30.00            health of chat: red"]
    assert list(conversation(only_now, differences=True)) == ["+               30.00  health of chat: red"]


def test_another_end_of_a_message_is_a_difference() -> None:
    assert not is_alike(compared([SENT], [SENT._replace(says="failed, tier 3, 3 attempts")], 60.0))


def test_timers_are_compared_whatever_their_app_is_called() -> None:
    then = [
        Fact(1.0, "app, timer after/ktlx/3f1b", "returned"),
        Fact(2.0, "app, timer again/ktlx/a:b", "raised"),
    ]
    now = [
        Fact(1.0, "app, timer after/bank/77aa", "returned"),
        Fact(2.0, "app, timer again/bank/bot:x", "raised"),
    ]

    assert is_alike(compared(then, now, 60.0))
    assert not is_alike(compared(then, now[:1], 60.0))
    assert not is_alike(compared(then, [now[0]._replace(says="raised"), now[1]], 60.0))


def test_what_happened_just_before_the_end_proves_nothing() -> None:
    assert is_alike(compared([SENT, RED], [SENT], 31.0))
    assert not is_alike(compared([SENT, RED], [SENT], 32.0))


def test_where_a_recording_begins_in_the_middle_the_times_of_looks_prove_nothing() -> None:
    begun = SENT._replace(t=0.5)

    assert is_alike(compared([begun, LOOK], [LOOK._replace(t=10.0), LOOK], 60.0, continues=True))
    assert not is_alike(compared([begun, LOOK], [LOOK._replace(t=10.0), LOOK], 60.0))
    assert not is_alike(compared([LOOK], [LOOK._replace(says="status 503")], 60.0, continues=True))
