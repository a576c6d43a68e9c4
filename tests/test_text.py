import io
import sys
import unicodedata

import pytest

from hangbot.redact import Redactor
from hangbot.text import encodable, one_line, printable, printable_lines, quote_server_text, text_or_none

SEEN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Letters of category "format" that are drawn: signs before Arabic, Syriac and Kaithi numbers."""
PLAIN = "Zo\\xeb's..."


def test_nothing_that_a_terminal_acts_on_or_that_hides_stays_as_it_is() -> None:
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}

    raw = [
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(character) in hidden and character in printable(character)
    ]

    assert set(raw) <= SEEN


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07", id="escape-sequences"),
        pytest.param("\x9b31mred", r"\x9b31mred", id="c1"),
        pytest.param(
            "one\r\ntwo\u2028three\x85four\tfive", r"one\r\ntwo\u2028three\x85four\tfive", id="lines"
        ),
        pytest.param("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066", id="bidi"),
        pytest.param("al\u200bi\u200dce\u3164", r"al\u200bi\u200dce\u3164", id="zero-width"),
        pytest.param("hi\U000e0068\U000e0069", r"hi\U000e0068\U000e0069", id="tags"),
        pytest.param("\x00\x7f", r"\x00\x7f", id="nul-and-del"),
    ],
)
def test_hostile_text_is_shown_escaped_on_one_line(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_half_a_character_is_shown_escaped() -> None:  # no parameter: Allure cannot write one with it
    assert printable("half \ud83d") == r"half \ud83d"


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "naïve café",
        "👩\u200d💻 and 👍🏽",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "日本語\u3000です",
        "a\\b",
        "e\u0301",
        "שלום",
    ],
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_of_text_with_lines_of_its_own_the_lines_stay() -> None:
    assert printable_lines("Traceback:\r\n  \x1b[1mline\x85\n") == "Traceback:\n  \\x1b[1mline\\x85\n"


def test_one_line_folds_white_space_and_cuts() -> None:
    assert one_line(" a \n\tb\u3000c ") == "a b c"
    assert one_line("a\nb c", 3) == "a b"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("utf-8", "Zoë\u2019s…"), ("UTF8", "Zoë\u2019s…"), ("ascii", PLAIN), ("cp1252", PLAIN)],
)
def test_a_stream_is_given_what_it_can_write(encoding: str, shown: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)

    line = encodable("Zoë\u2019s…", stream)

    assert line == shown


def test_a_servers_words_are_quoted_on_one_line_in_part_and_without_the_token() -> None:
    token = "a-token-of-the-bot"
    words = f"bad token {token}\nsecond\x85line " + "x" * 1000

    shown = quote_server_text(words, Redactor([token]).text)

    assert token not in shown
    assert len(shown.splitlines()) == 1
    assert len(shown) <= 200


@pytest.mark.parametrize("value", ["", 1, None, True, ["a"], {"a": 1}])
def test_only_a_text_that_is_not_empty_counts(value: object) -> None:
    assert text_or_none("a") == "a"
    assert text_or_none(value) is None
