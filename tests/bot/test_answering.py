from __future__ import annotations

import asyncio

import pytest

from hangbot.bot.answering import Answering, answer_id, answering, current
from hangbot.bot.events import ChatMessage

BOT = object()


def line(number: int) -> ChatMessage:
    return ChatMessage(number, "asker", "room", "?", 0.0)


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        pytest.param(
            ("bot", "room", 7, "mybot:on_message", False, 1, 0),
            "1dc49e065c85d0a10b291692b42834b3",
            id="in the group",
        ),
        pytest.param(
            ("bot", "room", 7, "mybot:on_message", True, 1, 0),
            "b740fa4160c0df59ca3a213ce1e0f66f",
            id="to a user",
        ),
        pytest.param(
            ("bot", "room", 7, "mybot:on_message", False, 2, 0),
            "98c4a6900e16f00629673c7522a7e1b3",
            id="of the next epoch",
        ),
        pytest.param(
            ("bot", "room", 7, "mybot:on_message", False, 1, 1),
            "5ac49f9b3ccf816a3dffad585bfd9c1e",
            id="the second",
        ),
        pytest.param(
            ("bot", "room", 2**62, "böt:ä", False, 1, 0),
            "b876bd735083e0a976ea96371ffdcead",
            id="not of ASCII alone",
        ),
    ],
)
def test_an_answers_id_is_the_same_for_ever(
    given: tuple[str, str, int, str, bool, int, int], answer: str
) -> None:
    bot, receiver, message, app, direct, epoch, ordinal = given

    assert answer_id(bot, receiver, message, app, direct=direct, epoch=epoch, ordinal=ordinal) == answer


def ids(context: Answering, *receivers: str) -> list[str]:
    made = []
    for receiver in receivers:
        with context.next_id("bot", receiver, direct=False) as made_id:
            made.append(made_id)
    return made


def test_the_same_answers_to_the_same_message_have_the_same_ids_and_all_others_have_others() -> None:
    first = ids(Answering(BOT, line(7), 1, "app"), "room", "room", "other", "room")
    again = ids(Answering(BOT, line(7), 1, "app"), "other", "room", "room", "room")

    assert sorted(first) == sorted(again)
    assert [first[0], first[1], first[3]] == again[1:]
    another = ids(Answering(BOT, line(8), 1, "app"), "room")
    later = ids(Answering(BOT, line(7), 2, "app"), "room")
    assert len({*first, *another, *later}) == 6


def test_an_answer_that_is_refused_leaves_its_id_to_the_next_one() -> None:
    context = Answering(BOT, line(7), 1, "app")
    (first,) = ids(Answering(BOT, line(7), 1, "app"), "room")

    with pytest.raises(ValueError, match="full"), context.next_id("bot", "room", direct=False):
        raise ValueError("full")

    assert ids(context, "room") == [first]


def test_an_answer_that_is_refused_while_another_is_given_leaves_no_id_twice() -> None:
    context = Answering(BOT, line(7), 1, "app")

    def refused() -> list[str]:
        with context.next_id("bot", "room", direct=False):
            between.extend(ids(context, "room"))
            raise ValueError("full")

    between = list[str]()
    with pytest.raises(ValueError, match="full"):
        refused()

    assert ids(context, "room") != between


async def test_tasks_that_a_handler_starts_answer_the_same_message_and_other_bots_do_not() -> None:
    context = Answering(BOT, line(7), 1, "app")

    async def inner() -> Answering | None:
        return current(BOT)

    before = current(BOT)
    with answering(context):
        seen = await asyncio.create_task(inner(), name="of the handler")
        other = current(object())

    assert (before, seen, other, current(BOT)) == (None, context, None, None)
