import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hangbot.delivery.message import LONGEST_TEXT, MOST_PARTS, Outgoing, split
from hangbot.errors import UsageError
from tests.cases import cases
from tests.delivery.builders import message


def texts(text: str) -> list[str]:
    return [part.text for part in split(message(text=text))]


def test_a_short_text_is_one_message_and_stays_as_it_is() -> None:
    whole = message(text="  hello\n room  ", mentions=[{"start": 2}], images=["i"])

    assert split(whole) == [whole]


@cases(
    "text parts",
    ("the longest", "x" * 900, ["x" * 900]),
    ("at the last line end that fits", "a" * 500 + "\n" + "b" * 399 + " c", ["a" * 500, "b" * 399 + " c"]),
    ("a word that ends at the limit stays whole", "a" * 900 + " b", ["a" * 900, "b"]),
    ("within a word that is longer", "é" * 1_000, ["é" * 900, "é" * 100]),
    ("no empty part of white space at the start", " " * 2_000 + "a", ["a"]),
    ("nor at the end", "a" * 900 + " " * 2_000, ["a" * 900]),
    ("nor between", "a" * 890 + " " * 100 + "b", ["a" * 890, "b"]),
    ("ten full parts", "x" * 9_000, ["x" * 900] * 10),
)
def test_a_text_is_cut_into_parts_that_fit(text: str, parts: list[str]) -> None:
    assert texts(text) == parts


def test_the_parts_are_numbered_from_the_second_on() -> None:
    parts = split(message(text="word " * 500))

    assert [part.id for part in parts] == ["m", "m.2", "m.3"]
    assert {(part.to, part.direct) for part in parts} == {("room", False)}


@pytest.mark.parametrize("text", ["x" * 9_001, "word " * 200_000], ids=["one more", "endless"])
def test_what_would_take_more_than_ten_parts_is_refused_whole(text: str) -> None:
    with pytest.raises(UsageError, match=f"{len(text)} characters would take more than 10 messages"):
        split(message(text=text))


@cases(
    "text words",
    ("empty", "", "empty"),
    ("white space", " \n\t\u00a0", "empty"),
    ("NUL", "a\0b", "NUL"),
    ("a lone surrogate", b"ok \xed\xa0\xbd", "half a character .* at 3"),
    ("a lone surrogate far down", b"x" * 2_000 + b"\xed\xb0\x80", "half a character"),
)
def test_a_text_that_cannot_be_sent_is_refused(text: str | bytes, words: str) -> None:
    # As bytes where Allure could not write the parameter.
    text = text if isinstance(text, str) else text.decode("utf-8", "surrogatepass")

    with pytest.raises(UsageError, match=words) as caught:
        split(message(text=text))

    assert "nothing was accepted" in str(caught.value)


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        *((message(key=key), "an id is") for key in ("", "a b", "a/b", "a\n", "é", "x" * 101)),
        *((message(to=to), "a receiver is") for to in ("", "a.b", "a/../b", "room\n", "x" * 101)),
    ],
    ids=lambda each: repr((each.id, each.to))[:30] if isinstance(each, Outgoing) else each,
)
def test_an_odd_id_or_receiver_is_refused(odd: Outgoing, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        split(odd)


@cases(
    "more",
    ("a set", {"mentions": [{"start": {1}}]}),
    ("not a number", {"mentions": [{"start": float("nan")}]}),
    ("half a character in a name", {"mentions": [{"userNickname": "\ud800"}]}),
    ("a mention that is no mapping", {"mentions": ["me"]}),
    ("a mention that is nothing", {"mentions": [None]}),
    ("bytes", {"images": [b"x"]}),
    ("half a character in an address", {"images": ["\ud800"]}),
)
def test_mentions_and_images_that_cannot_be_written_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"mentions or images .* nothing was accepted"):
        split(message(**more))


def test_images_go_with_the_first_part() -> None:
    parts = split(message(text="word " * 300, images=["https://h/i.png"]))

    assert [list(part.images) for part in parts] == [["https://h/i.png"], []]


def test_a_mention_goes_with_the_part_it_stands_in_and_is_counted_from_there() -> None:
    text = "x" * 890 + " hello <@uid:peer> and <@uid:other>"
    first, second = {"start": 0, "userUuid": "x"}, {"start": text.index("<@uid:peer>"), "userUuid": "peer"}
    third = {"start": text.index("<@uid:other>"), "userUuid": "other"}

    parts = split(message(text=text, mentions=[third, first, second]))

    assert list(parts[0].mentions) == [first]
    assert [mention["userUuid"] for mention in parts[1].mentions] == ["other", "peer"]
    for mention in parts[1].mentions:
        start = mention["start"]
        assert isinstance(start, int)
        assert parts[1].text[start:].startswith(f"<@uid:{mention['userUuid']}>")


@pytest.mark.parametrize(
    "mention", [{}, {"start": "7"}, {"start": -1}], ids=["none", "text", "before the text"]
)
@pytest.mark.parametrize("before", ["", " " * 1000])
def test_a_mention_without_a_place_goes_with_the_first_part(mention: dict[str, object], before: str) -> None:
    parts = split(message(text=before + "word " * 300, mentions=[mention | {"userUuid": "u"}]))

    assert [[said["userUuid"] for said in part.mentions] for part in parts] == [["u"], []]


def test_a_mention_beyond_the_text_goes_with_the_last_part() -> None:
    parts = split(message(text="x" * 1_000, mentions=[{"start": 5_000}]))

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
def test_every_mention_is_in_one_part_and_points_at_the_same_text(text: str, data: st.DataObject) -> None:
    places = [place for place, char in enumerate(text) if not char.isspace()]
    chosen = data.draw(st.lists(st.sampled_from(places), unique=True)) if places else []
    mentions = [{"start": place, "userUuid": str(place)} for place in chosen]

    try:
        parts = split(message(text=text, mentions=mentions))
    except UsageError:
        return

    seen = [(part, mention) for part in parts for mention in part.mentions]
    assert sorted(str(mention["userUuid"]) for _, mention in seen) == sorted(map(str, chosen))
    for part, mention in seen:
        start = mention["start"]
        assert isinstance(start, int)
        assert part.text[start] == text[int(str(mention["userUuid"]))]
