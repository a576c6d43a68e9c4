from hangbot.logs.recent import LONGEST, MOST_LINES, MOST_TEXT, Recent


def test_the_last_lines_are_kept_and_those_behind_one_are_found() -> None:
    recent = Recent()
    for number in range(MOST_LINES + 3):
        recent.add(float(number), "INFO", "hangbot", f"line {number}")

    lines = recent.lines()

    assert (len(lines), lines[0].text, lines[-1].number) == (MOST_LINES, "line 3", MOST_LINES + 3)
    assert recent.lines(after=MOST_LINES + 1) == lines[-2:]
    assert recent.lines(after=10**6) == []


def test_long_lines_take_no_more_room_than_others_and_are_cut() -> None:
    recent = Recent()
    for _ in range(100):
        recent.add(0.0, "INFO", "hangbot", "x" * 100_000)

    texts = [line.text for line in recent.lines()]

    assert set(map(len, texts)) == {LONGEST}
    assert sum(map(len, texts)) <= MOST_TEXT < sum(map(len, texts)) + LONGEST
