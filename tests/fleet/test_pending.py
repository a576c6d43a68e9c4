"""What is asked of a NATS server, and what comes in answer."""

import pytest

from hangbot.errors import HangbotError
from hangbot.fleet.jetstream import Answer
from hangbot.fleet.pending import PendingAnswers
from tests.bounds import WITHIN


async def test_an_answer_without_an_end_is_not_taken_in() -> None:
    answers = PendingAnswers()
    pending = answers.expect("fleet.asked.red", within=WITHIN, several=True, largest=1000)

    for _ in range(100):
        answers.take(pending.word, Answer({}, b"x" * 100))

    assert pending.came == []
    with pytest.raises(HangbotError, match=r"what answers fleet\.asked\.red .* more than"):
        await pending.done
    answers.forget(pending)
