import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hangbot.delivery.message import LONGEST_TEXT, MOST_PARTS, Outgoing, split
from hangbot.errors import UsageError


def outgoing(text: str = "hi", *, key: str = "id", to: str = "room", **more: Any) -> Outgoing:  # noqa: ANN401  of any kind
    return Outgoing(key, to, text, **more)


def texts(text: str) -> list[str]:
    return [part.text for part in split(outgoing(text))]


def test_a_short_text_is_one_message_and_stays_as_it_is() -> None:
    message = outgoing("  hello\n room  ", mentions=[{"start": 2}], images=["i"])

    assert split(message) == [message]


def test_the_longest_text_is_one_message() -> None:
    assert texts("x" * LONGEST_TEXT) == ["x" * LONGEST_TEXT]


def test_the_parts_are_numbered_from_the_second_on() -> None:
    parts = split(outgoing("word " * 500, key="m"))

    assert [part.id for part in parts] == ["m", "m.2", "m.3"]
    assert {(part.to, part.direct) for part in parts} == {("room", False)}


def test_a_text_is_cut_at_the_last_line_end_that_fits() -> None:
    text = "a" * 500 + "\n" + "b" * 399 + " " + "c" * 10

    assert texts(text) == ["a" * 500, "b" * 399 + " " + "c" * 10]


def test_a_word_that_ends_exactly_at_the_limit_stays_whole() -> None:
    assert texts("a" * LONGEST_TEXT + " b") == ["a" * LONGEST_TEXT, "b"]


def test_a_word_longer_than_a_message_is_cut_within() -> None:
    assert texts("é" * 1_000) == ["é" * 900, "é" * 100]


def test_white_space_at_a_cut_is_left_out_and_makes_no_empty_part() -> None:
    assert texts(" " * 2_000 + "a") == ["a"]
    assert texts("a" * 900 + " " * 2_000) == ["a" * 900]
    assert texts("a" * 890 + " " * 100 + "b") == ["a" * 890, "b"]


def test_ten_full_parts_are_sent() -> None:
    parts = split(outgoing("x" * LONGEST_TEXT * MOST_PARTS))

    assert [len(part.text) for part in parts] == [LONGEST_TEXT] * MOST_PARTS
    assert parts[-1].id == "id.10"


def test_one_character_more_is_refused_whole() -> None:
    with pytest.raises(UsageError, match="9001 characters would take more than 10 messages"):
        split(outgoing("x" * (LONGEST_TEXT * MOST_PARTS + 1)))


def test_an_endless_text_is_refused_without_being_cut_up() -> None:
    with pytest.raises(UsageError, match="1000000 characters would take more than 10 messages"):
        split(outgoing("word " * 200_000))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param(" \n\t\u00a0", "empty", id="white space"),
        pytest.param("a\0b", "NUL", id="NUL"),
        pytest.param(b"ok \xed\xa0\xbd", "half a character .* at 3", id="a lone surrogate"),
        pytest.param(b"x" * 2_000 + b"\xed\xb0\x80", "half a character", id="a lone surrogate far down"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused_at_the_door(text: str | bytes, words: str) -> None:
    # As bytes where Allure could not write the parameter.
    text = text if isinstance(text, str) else text.decode("utf-8", "surrogatepass")

    with pytest.raises(UsageError, match=words) as caught:
        split(outgoing(text))

    assert "nothing was accepted" in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="empty"),
        pytest.param("a b", id="blank"),
        pytest.param("a/b", id="slash"),
        pytest.param("a\n", id="a line's end"),
        pytest.param("é", id="not ASCII"),
        pytest.param("x" * 101, id="too long"),
    ],
)
def test_an_odd_id_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="an id is"):
        split(outgoing(key=key))


@pytest.mark.parametrize(
    "to",
    [
        pytest.param("", id="empty"),
        pytest.param("a.b", id="dot"),
        pytest.param("a/../b", id="path"),
        pytest.param("room\n", id="a line's end"),
        pytest.param("x" * 101, id="too long"),
    ],
)
def test_an_odd_receiver_is_refused(to: str) -> None:
    with pytest.raises(UsageError, match="a receiver is"):
        split(outgoing(to=to))


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"mentions": [{"start": {1}}]}, id="a set"),
        pytest.param({"mentions": [{"start": float("nan")}]}, id="not a number"),
        pytest.param({"mentions": [{"userNickname": "\ud800"}]}, id="half a character in a name"),
        pytest.param({"mentions": ["me"]}, id="a mention that is no mapping"),
        pytest.param({"mentions": [None]}, id="a mention that is nothing"),
        pytest.param({"images": [b"x"]}, id="bytes"),
        pytest.param({"images": ["\ud800"]}, id="half a character in an address"),
    ],
)
def test_mentions_and_images_that_cannot_be_written_are_refused_at_the_door(more: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"mentions or images .* nothing was accepted"):
        split(outgoing(**more))


def test_images_go_with_the_first_part() -> None:
    parts = split(outgoing("word " * 300, images=["https://h/i.png"]))

    assert [list(part.images) for part in parts] == [["https://h/i.png"], []]


def test_a_mention_goes_with_the_part_it_stands_in_and_is_counted_from_there() -> None:
    text = "x" * 890 + " hello <@uid:peer> and <@uid:other>"
    first, second = {"start": 0, "userUuid": "x"}, {"start": text.index("<@uid:peer>"), "userUuid": "peer"}
    third = {"start": text.index("<@uid:other>"), "userUuid": "other"}

    parts = split(outgoing(text, mentions=[third, first, second]))

    assert list(parts[0].mentions) == [first]
    assert [mention["userUuid"] for mention in parts[1].mentions] == ["other", "peer"]
    for mention in parts[1].mentions:
        start = mention["start"]
        assert isinstance(start, int)
        assert parts[1].text[start:].startswith(f"<@uid:{mention['userUuid']}>")


@pytest.mark.parametrize(
    "mention",
    [
        pytest.param({"userUuid": "u"}, id="no place"),
        pytest.param({"userUuid": "u", "start": "7"}, id="a place that is text"),
        pytest.param({"userUuid": "u", "start": -1}, id="a place before the text"),
    ],
)
@pytest.mark.parametrize("before", ["", " " * 1000])
def test_a_mention_without_a_usable_place_goes_with_the_first_part(
    mention: dict[str, object], before: str
) -> None:
    parts = split(outgoing(before + "word " * 300, mentions=[mention]))

    assert [[said["userUuid"] for said in part.mentions] for part in parts] == [["u"], []]


def test_a_mention_beyond_the_text_goes_with_the_last_part() -> None:
    parts = split(outgoing("x" * 1_000, mentions=[{"start": 5_000}]))

    assert [list(part.mentions) for part in parts] == [[], [{"start": 4_100}]]


WORDS = st.lists(
    st.text(st.characters(categories=["L", "N", "P", "S", "Z"]), max_size=12)
    | st.sampled_from(["x" * 899, "y" * 900, "z" * 901, " ", "\n", "\t" * 5]),
    min_size=1,
    max_size=30,
).map(" ".join)


@settings(max_examples=40)
@given(WORDS)
def test_no_character_but_white_space_is_lost_and_no_part_is_empty_or_long(text: str) -> None:
    try:
        parts = texts(text)
    except UsageError:
        return

    assert re.sub(r"\s", "", "".join(parts)) == re.sub(r"\s", "", text)
    assert all(0 < len(part) <= LONGEST_TEXT and part.strip() for part in parts)
    assert len(parts) <= MOST_PARTS


@settings(max_examples=40)
@given(WORDS, st.data())
def test_every_mention_is_in_exactly_one_part_and_points_at_the_same_text(
    text: str, data: st.DataObject
) -> None:
    places = [place for place, char in enumerate(text) if not char.isspace()]
    chosen = data.draw(st.lists(st.sampled_from(places), unique=True)) if places else []
    mentions = [{"start": place, "userUuid": str(place)} for place in chosen]

    try:
        parts = split(outgoing(text, mentions=mentions))
    except UsageError:
        return

    seen = [(part, mention) for part in parts for mention in part.mentions]
    assert sorted(str(mention["userUuid"]) for _, mention in seen) == sorted(map(str, chosen))
    for part, mention in seen:
        start = mention["start"]
        assert isinstance(start, int)
        assert part.text[start] == text[int(str(mention["userUuid"]))]
