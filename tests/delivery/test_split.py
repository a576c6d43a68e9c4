"""Where a long text is cut, with a message of twenty characters instead of nine hundred."""

import re

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hangbot.delivery.split import Span, cut, unbroken
from tests.cases import cases

LONGEST = 20
FAMILY = "👩\u200d👩\u200d👧\u200d👦"
FLAG = "🇩🇪"
KISHI = "क्षि"
HAN = "\u1112\u1161\u11ab"
"""A syllable of Hangul in its three letters."""


def pieces(text: str, *mentions: dict[str, object], most: int = 50) -> list[str]:
    whole = unbroken(text, mentions, LONGEST)
    return [text[start:end] for start, end in cut(text, whole, LONGEST, most)]


@cases(
    "text parts",
    ("a line end", "one two\nthree four five six", ["one two", "three four five six"]),
    ("CRLF", "one\r\ntwo\r\nthree four fiver", ["one\r\ntwo", "three four fiver"]),
    ("U+2028", "one two\u2028three four five six", ["one two", "three four five six"]),
    ("a blank", "one two three four five", ["one two three four", "five"]),
    ("U+3000", "日本語\u3000" * 6, ["日本語\u3000" * 4 + "日本語", "日本語\u3000"]),
    ("a thin blank", "ab\u2009" * 8, ["ab\u2009" * 6 + "ab", "ab\u2009"]),
    ("no break", "ab cd\u00a0ef gh\u202fij kl\u2007mnop", ["ab cd\u00a0ef gh\u202fij", "kl\u2007mnop"]),
    ("the indent stays", "a:\n\n    indented 123456", ["a:", "    indented 123456"]),
    ("a word too long", "x" * 30, ["x" * 20, "x" * 10]),
    ("white space at the limit", "x" * 19 + "\r\n" * 9 + "y", ["x" * 19, "y"]),
    ("white space first", " " * 90 + "y", ["y"]),
    ("a blank that carries an accent", "ab " + " \u0301cd" * 8, ["ab", " \u0301cd" * 5, " \u0301cd" * 3]),
)
def test_a_text_is_cut_at_a_line_end_else_at_a_blank(text: str, parts: list[str]) -> None:
    assert pieces(text) == parts


@cases(
    "grapheme",
    ("a family", FAMILY),
    ("a flag", FLAG),
    ("a skin", "👍🏽"),
    ("an accent", "e\u0301"),
    ("Hangul", HAN),
    ("Devanagari", KISHI),
    ("a variation", "❤\ufe0f"),
    ("a flag of tags", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"),
)
@pytest.mark.parametrize("before", ["", "x", "xyz"])
def test_what_a_reader_takes_for_one_character_is_not_cut(grapheme: str, before: str) -> None:
    text = before + grapheme * 30

    parts = pieces(text, most=1000)

    assert "".join(parts) == text
    for part in parts:
        assert part.removeprefix(before).replace(grapheme, "") == ""


def test_a_character_of_more_accents_than_a_message_takes_is_cut_all_the_same() -> None:
    assert pieces("e" + "\u0301" * 30) == ["e" + "\u0301" * 19, "\u0301" * 11]


@cases(
    "text start parts",
    ("as the web client writes it", "hello hello <@uid:peer-1>", None, ["hello hello", "<@uid:peer-1>"]),
    ("without a blank before", "hello-hello-<@uid:peer-1>", None, ["hello-hello-", "<@uid:peer-1>"]),
    ("a name with blanks", "hello hello @Ann van Dyck", 12, ["hello hello", "@Ann van Dyck"]),
    ("a name counted without its sign", "hello hello @Ann van Dyck", 13, ["hello hello", "@Ann van Dyck"]),
    ("a gift", "hello <consumableId:fire>", None, ["hello", "<consumableId:fire>"]),
)
def test_a_mention_is_not_cut(text: str, start: int | None, parts: list[str]) -> None:
    mentions = [{"start": start, "userNickname": "Ann van Dyck"}] if start else []

    assert pieces(text, *mentions) == parts


def test_a_code_block_that_fits_is_not_cut_and_one_that_does_not_is_cut_at_its_lines() -> None:
    whole = "see this:\n```\na = 1\nb\n```\nand that"
    longer = "```\nfirst = 1\nsecond = 2\n  third = 3\n```"

    assert pieces(whole) == ["see this:", "```\na = 1\nb\n```", "and that"]
    assert pieces(longer) == ["```\nfirst = 1", "second = 2", "  third = 3\n```"]
    assert pieces("one\n```never\nended 1234567") == ["one\n```never", "ended 1234567"]


def test_where_every_line_end_would_make_too_many_pieces_blanks_are_taken_too() -> None:
    text = "ab\n" + "word " * 7

    assert pieces(text) == ["ab", "word word word word", "word word word "]
    assert pieces(text, most=2) == ["ab\nword word word", "word word word word "]


def test_a_text_for_which_there_are_too_few_pieces_makes_one_more_and_no_others() -> None:
    assert len(pieces("word " * 200_000, most=3)) == 4


TEXTS = st.lists(
    st.text(max_size=6)
    | st.sampled_from(
        [FAMILY, FLAG, KISHI, HAN, "e\u0301", " \u0301", "\r\n", "\n", "\u3000", " ", "\u00a0", "\r"]
    )
    | st.sampled_from(["x" * 19, "y" * 21, "```", "<@uid:peer>", "@Ann van Dyck", "\u0600", "\u0301" * 25]),
    max_size=25,
).map("".join)


@settings(max_examples=300)
@given(TEXTS)
def test_no_piece_is_too_long_and_only_white_space_is_left_out(text: str) -> None:
    spans = cut(text, unbroken(text, (), LONGEST), LONGEST, 1000)

    assert all(0 < end - start <= LONGEST for start, end in spans)
    left_out = [
        text[before.end : after.start]
        for before, after in zip([Span(0, 0), *spans], [*spans, Span(len(text), len(text))], strict=True)
    ]
    assert not "".join(left_out).strip()


@settings(max_examples=300)
@given(TEXTS)
@example("\u0600\u0600```00000<@uid:peer>")  # with the character it begins in, too long
@example("\u0600" * 12 + "<@uid:peer>")  # so does the mention
def test_no_cut_is_within_a_character_or_a_mention(text: str) -> None:
    spans = cut(text, unbroken(text, (), LONGEST), LONGEST, 1000)

    graphemes = [found.span() for found in regex.finditer(r"\X", text)]
    mentions = [found.span() for found in re.finditer("<@uid:peer>", text)]
    spans_of = [
        (min(a, start), max(b, end)) for a, b in mentions for start, end in graphemes if a < end and start < b
    ]
    too_long = any(end - start > LONGEST for start, end in [*graphemes, *spans_of])
    for place in (place for span in spans for place in span):
        assert not any(start < place < end for start, end in mentions)
        assert too_long or not any(start < place < end for start, end in graphemes)
