import pytest

from hangbot.bot.uptime import uptime


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3_661, "1 h 1 min 1 s"),
        (86_400, "1 d"),
        (200_000, "2 d 7 h 33 min 20 s"),
    ],
)
def test_the_time_is_told_in_the_units_that_matter(seconds: float, said: str) -> None:
    assert uptime("Hal", seconds) == f"Hal has been up for {said}."


def test_a_bot_without_a_name_speaks_of_itself() -> None:
    assert uptime(None, 1) == "This bot has been up for 1 s."
