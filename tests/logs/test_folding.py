import logging
from collections.abc import Iterable, Iterator

import pytest

from hangbot.logs.folding import MOST, WINDOW, Folding

A = "[SOCKET] not in the room (lost): next try in {} s"
B = "[SOCKET] joined a room"
C = "[ERROR] the chat does not answer"


def record(text: str, at: float = 0.0, level: int = logging.INFO, **more: object) -> logging.LogRecord:
    named = {"name": "hangbot", "msg": text, "levelno": level, "created": at}
    return logging.makeLogRecord({**named, **more})


def warning(text: str, at: float = 0.0, **more: object) -> logging.LogRecord:
    return record(text, at, logging.WARNING, **more)


def shown(folding: Folding, records: Iterable[logging.LogRecord]) -> Iterator[str]:
    for each in records:
        yield from (line.getMessage() for line in folding.take(each))


def test_what_repeats_a_line_whatever_durations_it_names_is_counted_until_another_comes() -> None:
    folding = Folding()

    lines = shown(folding, [*(record(A.format(wait), wait) for wait in (1, 2, 4)), record(B, 4.5)])

    assert list(lines) == [A.format(1), f"… 2 more times in 3.0 s: {A.format(4)}", B]


def test_warnings_that_take_turns_are_folded_and_the_last_to_come_is_the_last_to_be_shown() -> None:
    folding = Folding()

    lines = list(shown(folding, (warning(text, 1.0) for text in (A, C, A, C, C, A))))
    rest = [each.getMessage() for each in folding.rest()]

    assert lines == [A, C]
    assert rest == [f"… 2 more times in 0.0 s: {text}" for text in (C, A)]


def test_news_is_shown_at_once_and_what_comes_after_it_too() -> None:
    folding = Folding()

    lines = shown(folding, [record(B), warning(A), warning(A), record(B), warning(A)])

    assert list(lines) == [B, A, A, B, A]


@pytest.mark.parametrize("now", [WINDOW, -1.0], ids=["time is over", "the clock was set back"])
def test_nothing_is_held_back_for_longer_and_then_the_line_is_shown_at_once_again(now: float) -> None:
    folding = Folding()
    assert list(shown(folding, [record(A), record(A, 1.0), record(A, 2.0, wait_s=4)])) == [A]

    (told,) = folding.due(now)

    assert (vars(told)["times"], vars(told)["over_s"], vars(told)["wait_s"]) == (2, 2.0, 4)
    assert list(shown(folding, [record(A, now)])) == [A]


def test_a_line_that_came_twice_is_shown_as_it_is() -> None:
    folding = Folding()

    assert list(shown(folding, [record(A.format(1)), record(A.format(2)), record(B)])) == [
        A.format(1),
        A.format(2),
        B,
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(record("x"), record("x", level=logging.ERROR), id="another level"),
        pytest.param(record("x"), record("x", name="mybot"), id="another logger"),
        pytest.param(record("x 1"), record("x 2"), id="another number"),
        pytest.param(record("x", exc_text="A"), record("x", exc_text="B"), id="another traceback"),
        pytest.param(record("x", message_id="1"), record("x", message_id="2"), id="another message"),
        pytest.param(*[record("x", message_id="1")] * 2, id="the story of a message"),
        pytest.param(*[record("x", level=logging.DEBUG)] * 2, id="for debugging"),
    ],
)
def test_each_is_shown_where_they_are_not_the_same(
    first: logging.LogRecord, second: logging.LogRecord
) -> None:
    assert len(list(shown(Folding(), [first, second]))) == 2


def test_lines_of_messages_do_not_end_the_counting_of_others() -> None:
    folding = Folding()

    lines = shown(folding, [record(B), record("one", message_id="1"), record(B), record(B)])

    assert list(lines) == [B, "one"]


def test_what_one_bot_says_is_no_repetition_of_anothers_and_no_news_of_it() -> None:
    folding = Folding()
    said = [(A, "a"), (A, "b"), (A, "a"), (B, "b"), (A, "a")]

    lines = shown(
        folding, [record(B, bot=bot) if text is B else warning(text, bot=bot) for text, bot in said]
    )

    assert list(lines) == [A, A, B]
    assert [line.getMessage() for line in folding.rest()] == [f"… 2 more times in 0.0 s: {A}"]


def test_as_many_lines_are_remembered_as_there_is_room_for() -> None:
    folding = Folding()
    list(shown(folding, (warning(f"line {which}", which / 100) for which in range(MOST + 1))))

    again = list(shown(folding, [warning("line 0", 1.0), warning(f"line {MOST}", 1.0)]))

    assert again == ["line 0"]
