from hangbot.bot.events import ChatMessage
from hangbot.bot.witnesses import Witnesses, witness
from tests.cases import cases


def row(number: int, text: str, sent_at: float) -> ChatMessage:
    return ChatMessage(number, "alice", "room", text, sent_at)


def seen(*rows: ChatMessage) -> Witnesses:
    return Witnesses(witness(each, done=True) for each in rows)


@cases(
    "number sent_at overtaken",
    ("between, in its time", 5, 1004.0, False),
    ("between, after the next", 5, 1010.0, True),
    ("within its second", 5, 1009.9, False),
    ("behind all", 10, 2000.0, False),
)
def test_a_row_that_was_sent_after_one_with_a_larger_id_is_overtaken(
    number: int, sent_at: float, *, overtaken: bool
) -> None:
    there = seen(row(4, "four", 1004.0), row(9, "nine", 1009.0))

    assert there.overtaken(number, sent_at) is overtaken


@cases(
    "shown ended_at",
    ("the same rows", [row(4, "four", 1004.0), row(9, "nine", 1009.0)], 0),
    ("another row under an id", [row(4, "other words", 1060.0), row(9, "nine", 1009.0)], 1004),
    ("smaller ids of a later time", [row(1, "one", 1060.0), row(2, "two", 1061.0)], 1009),
    (
        "a small id, and a row that was seen of the same count",
        [row(3, "x", 1008.0), row(9, "nine", 1009.0)],
        1004,
    ),
    ("what comes after", [row(12, "twelve", 1060.0)], 0),
    ("nothing", [], 0),
)
def test_a_count_ended_with_the_last_row_that_does_not_go_with_those_of_today(
    shown: list[ChatMessage], ended_at: int
) -> None:
    assert seen(row(4, "four", 1004.0), row(9, "nine", 1009.0)).ended_at(shown) == ended_at
