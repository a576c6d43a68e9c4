import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.delivery.naming import named, short_names
from hangbot.errors import UnknownMessage, UsageError

WHOLES = {key: key for key in ("abcdefghij", "abcdefgh", "xyz.2.7")} | {"abcdefghij.2": "abcdefghij"}


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("abcdefghij", ["abcdefghij", "abcdefghij.2"]),
        ("abcdefghi", ["abcdefghij", "abcdefghij.2"]),
        ("abcdefghij.2", ["abcdefghij.2"]),
        ("abcdefghi.2", ["abcdefghij.2"]),
        ("abcdefgh", ["abcdefgh"]),
        ("x", ["xyz.2.7"]),
        ("xyz.2", ["xyz.2.7"]),
    ],
)
def test_a_message_is_named_by_its_id_or_by_what_fits_no_other(name: str, ids: list[str]) -> None:
    assert list(named(name, WHOLES)) == ids


@pytest.mark.parametrize("name", ["", ".", ".2", "b", "abcdefghij.3", "abcdefghij.", "%", "_"])
def test_what_fits_none_is_unknown(name: str) -> None:
    with pytest.raises(UnknownMessage):
        named(name, WHOLES)


def test_what_fits_several_names_none() -> None:
    with pytest.raises(UsageError, match=r"abc fits 2 messages \(abcdefghij, abcdefgh\)"):
        named("abc", WHOLES)


ids = st.text("ab.2", min_size=1, max_size=11)


@given(st.dictionaries(ids, st.integers(1, 3), max_size=12))
def test_every_short_name_is_found_again(texts: dict[str, int]) -> None:
    group_ids: dict[str, str] = {}
    for text, parts in texts.items():
        for key in (text, *(f"{text}.{number}" for number in range(2, parts + 1))):
            group_ids.setdefault(key, text)
    group_ids = {key: whole for key, whole in group_ids.items() if group_ids.get(whole) == whole}

    names = short_names(group_ids)

    for key, whole in group_ids.items():
        meant = [other for other, text in group_ids.items() if text == whole] if key == whole else [key]
        assert list(named(names[key], group_ids)) == meant
