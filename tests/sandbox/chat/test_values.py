"""How values of any type are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.sandbox.chat.rows import Json
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.values import first_given, leading_number, nested, query_words, text_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("room", "room"),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (1.5, "1.5"),
        ([], ""),
        (["room"], "room"),
        (["ro", ["om"]], "room"),
        ([114, "oom"], "room"),
    ],
)
def test_a_value_of_many_types_is_a_text(value: Json, text: str) -> None:
    assert text_of(value, "receiver") == text


@pytest.mark.parametrize("value", [{}, {"a": 1}, [{}], [True], [None], [1.5], [-1], [1 << 21]])
def test_what_holds_an_object_is_no_text(value: Json) -> None:
    with pytest.raises(ChatRefusal, match="bad_value"):
        text_of(value, "receiver")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("05", 5),
        ("5.9", 5),
        ("5abc", 5),
        ("", None),
        (" 5", None),
        ("x5", None),
    ],
)
def test_the_number_that_a_text_begins_with(text: str, number: int | None) -> None:
    assert leading_number(text) == number


def test_a_number_of_any_length_is_read_without_choking() -> None:
    assert leading_number("9" * 100_000) is not None


def test_brackets_in_a_forms_names_make_objects_and_lists() -> None:
    pairs = [
        ("data[text]", "hi"),
        ("data[metadata][a]", "1"),
        ("tags[]", "x"),
        ("tags[]", "y"),
        ("muid", "m"),
    ]

    assert nested(pairs) == {
        "data": {"text": "hi", "metadata": {"a": "1"}},
        "tags": ["x", "y"],
        "muid": "m",
    }


def test_of_a_repeated_parameter_the_last_counts_and_a_list_is_strung_together() -> None:
    assert query_words("limit=2&limit=3&id[]=5&empty=&a[b]=c") == {"limit": "3", "id": "5", "empty": ""}
    assert query_words("") == {}


@given(st.lists(st.tuples(st.text(alphabet="ab[]", max_size=12), st.text(max_size=3)), max_size=6))
def test_no_name_of_a_form_breaks_it(pairs: list[tuple[str, str]]) -> None:
    assert isinstance(nested(pairs), dict)


def test_of_several_names_the_first_that_holds_something_counts_be_it_empty() -> None:
    fields = {"a": None, "b": "", "c": 5}

    assert first_given(fields, "a", "b", "c") == ""
    assert first_given(fields, "a", "x") is None
