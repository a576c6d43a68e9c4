import pytest

from hangbot.bot.pace import ResyncPace


def test_the_first_is_at_once_and_the_others_wait_ever_longer_up_to_ten_minutes() -> None:
    pace = ResyncPace()

    waits = [pace.next_wait("patch") for _ in range(10)]

    assert waits == [0, 10, 20, 40, 80, 160, 320, 600, 600, 600]


@pytest.mark.parametrize(("losses", "after"), [(0, 60), (1, 60), (4, 60), (6, 160), (9, 600)])
def test_a_state_is_sound_when_it_lasted_a_minute_or_as_long_as_the_last_wait(
    losses: int, after: float
) -> None:
    pace = ResyncPace()

    for _ in range(losses):
        pace.next_wait("patch")

    assert pace.sound_after == after


def test_after_a_sound_state_it_is_at_once_again() -> None:
    pace = ResyncPace()
    for _ in range(5):
        pace.next_wait("patch")

    pace.succeed()

    assert (pace.sound_after, pace.next_wait("patch")) == (60, 0)


def test_another_trouble_is_met_at_once_and_two_in_turn_wait_ever_longer() -> None:
    pace = ResyncPace()

    waits = [pace.next_wait(trouble) for trouble in ("patch", "song") * 4]

    assert waits == [0, 0, 10, 10, 20, 20, 40, 40]
