import pytest

from hangbot import Settlement, Step
from pytest_hangfm import AckRecorder
from tests.cases import cases


@pytest.fixture
def acks() -> AckRecorder:
    """A message that took two attempts, and one that has not ended."""
    recorder = AckRecorder()
    for step in (
        Step("m-1", 100.0, "accepted"),
        Step("m-1", 100.0, "attempt", 1),
        Step("m-1", 105.0, "answer", 1, "AckTimeout: no answer in 5 s", 5.0),
        Step("m-1", 105.0, "waiting", 1, "1.100 s", 1.1),
        Step("m-2", 105.5, "accepted"),
        Step("m-1", 106.1, "asked", 1, "it did not arrive"),
        Step("m-1", 106.1, "attempt", 2),
        Step("m-1", 106.2, "answer", 2, "acknowledged", 0.1),
        Step("m-1", 106.2, "settled", 2, "tier 2", settlement=Settlement("delivered", 2, 2)),
        Step("m-3", 107.0, "settled", 3, "given up", settlement=Settlement("failed", 3, 3, "503 for ever")),
        Step("m-4", 108.0, "settled", 1, "lost", settlement=Settlement("uncertain", None, 1, "nobody knows")),
    ):
        recorder(step)
    return recorder


def test_it_tells_the_story_of_a_message(acks: AckRecorder) -> None:
    assert acks.ids == ["m-1", "m-2", "m-3", "m-4"]
    assert acks.story("m-1") == ["AckTimeout", "it did not arrive", "acknowledged"]
    assert acks.waits("m-1") == [1.1]
    assert acks.settlement("m-1") == Settlement("delivered", 2, 2)
    assert acks.settlement("m-2") is None
    assert len(acks.rows()) == 11


def test_what_is_so_passes(acks: AckRecorder) -> None:
    acks.assert_delivered("m-1")
    acks.assert_delivered("m-1", tier=2, attempts=2)
    acks.assert_failed("m-3", attempts=3, reason="503")
    acks.assert_uncertain("m-4", attempts=1)


def test_a_wrong_tier_fails_with_the_timeline(acks: AckRecorder) -> None:
    with pytest.raises(pytest.fail.Exception) as caught:
        acks.assert_delivered("m-1", tier=1, attempts=1)

    text = str(caught.value)
    assert "m-1 was to be delivered in tier 1 after 1 attempt(s), and is delivered in tier 2 after 2" in text
    assert "+5.000 s  answer 1: AckTimeout: no answer in 5 s (5.000 s)" in text


@cases(
    "check message",
    ("not-ended", lambda acks: acks.assert_delivered("m-2"), "has not ended"),
    ("failed", lambda acks: acks.assert_delivered("m-3"), "is failed in tier 3"),
    ("delivered", lambda acks: acks.assert_failed("m-1"), "is delivered in tier 2"),
    ("reason", lambda acks: acks.assert_failed("m-3", reason="404"), "another reason"),
    ("not-uncertain", lambda acks: acks.assert_uncertain("m-3"), "is failed"),
    ("unknown", lambda acks: acks.assert_delivered("m-9"), "heard of: m-1, m-2"),
)
def test_what_is_not_so_fails(acks: AckRecorder, check: object, message: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=message):
        check(acks)  # type: ignore[operator]  # a lambda of the table


async def test_waiting_for_an_end_is_bounded(acks: AckRecorder) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"m-2 has not ended within 0\.01 s"):
        await acks.settled("m-2", within=0.01)

    assert await acks.settled("m-1") == Settlement("delivered", 2, 2)


def test_nothing_heard_is_said_in_words() -> None:
    assert "nothing was told at all" in AckRecorder().timeline("m-1")
