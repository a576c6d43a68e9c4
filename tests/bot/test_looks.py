"""When the chat is asked whether its socket brings everything."""

from hangbot.bot.looks import Looks

SILENCE = 40.0


def looks_of(looks: Looks, until: float, *, heard_every: float | None = None) -> list[tuple[float, str]]:
    """What is looked at, and when, second by second."""
    found: list[tuple[float, str]] = []
    for second in range(int(until) + 1):
        now = float(second)
        if heard_every and now % heard_every == 0:
            looks.heard(now)
        if kind := looks.due(now):
            found.append((now, kind))
    return found


def test_in_silence_every_third_look_is_at_the_list_of_conversations() -> None:
    assert looks_of(Looks(SILENCE, 0.0), 240.0) == [
        (40.0, "group"),
        (80.0, "group"),
        (120.0, "conversations"),
        (160.0, "group"),
        (200.0, "group"),
        (240.0, "conversations"),
    ]


def test_a_busy_group_is_looked_at_after_three_silences_all_the_same() -> None:
    found = looks_of(Looks(SILENCE, 0.0), 300.0, heard_every=1.0)

    assert found == [(120.0, "conversations"), (240.0, "conversations")]


def test_a_silence_begins_with_the_last_message() -> None:
    looks = Looks(SILENCE, 0.0)
    looks.heard(30.0)

    assert looks.next_at() == 70.0
    assert looks.due(69.9) is None
    assert looks.due(70.0) == "group"
    assert looks.next_at() == 110.0
