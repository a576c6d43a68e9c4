"""Which rows a page of a history holds."""

import re
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hangbot.sandbox.chat.paging import cut_page, history_query
from hangbot.sandbox.chat.rows import Json, Row


def row(number: int, at: int = 100, **more: Json) -> Row:
    base = {"id": number, "sentAt": at, "updatedAt": at, "category": "message", "type": "text"}
    return {**base, "sender": "bot", "data": {"text": f"text {number}"}, **more}


ROWS = [row(3), row(4), row(7), row(8, 101), row(9, 101), row(12, 102)]


def page(rows: list[Row], *, documented: bool = False, **query: str) -> list[int]:
    cut = cut_page(rows, history_query(query, documented=documented))
    return [found["id"] for found in cut.rows]


MEASURED = """
                                              prepend  3 4 7 8 9 12  everything, oldest first
per_page=2                                    prepend  9 12          without a cursor the newest
limit=2                                       prepend  9 12          another word for per_page
per_page=1&limit=3                            prepend  12            which wins
per_page=1&page=2                             prepend  12            a page number moves nothing
limit=2.9                                     prepend  9 12          leading digits count
per_page=2abc                                 prepend  9 12
limit=02                                      prepend  9 12
limit=abc                                     prepend  12            nonsense, and less than one, is one
limit=                                        prepend  12
per_page=+5                                   prepend  12
limit=-5                                      prepend  12
per_page=0                                    prepend  12
per_page=2&affix=append                       append   3 4           without a cursor the oldest
affix=append&id=7                             append   8 9 12        an id is excluded
affix=prepend&id=7                            prepend  3 4
id=7                                          prepend  3 4           alone it pages back: polling goes deaf
affix=sideways&id=7                           sideways 3 4           an unknown word pages back
affix=append&id=5                             append   7 8 9 12      the id need not exist
affix=append&id=abc                           append   3 4 7 8 9 12  no number is 0
affix=append&id=8x                            append   9 12
affix=append&id=-1                            append   3 4 7 8 9 12
id=abc                                        prepend  -             before 0 lies nothing
id=9999999999999999999999999999999999999999   prepend  3 4 7 8 9 12
affix=append&sentAt=101                       append   12            a time alone loses its own second
affix=prepend&sentAt=101                      prepend  3 4 7
affix=append&sentAt=101&id=8                  append   9 12          time and id are one compound cursor
affix=append&updatedAt=101                    append   12
affix=append&fromTimestamp=101                append   12
fromTimestamp=101                             append   12            a time to begin from goes forward
fromTimeStamp=101                             append   12
from_timestamp=101                            append   12
fromTimestamp=                                append   3 4 7 8 9 12
fromId=8                                      append   9 12          so does an id to begin from
afterId=8                                     append   9 12
messageId=8                                   prepend  3 4 7
beforeId=8                                    prepend  3 4 7
sentAt=101                                    prepend  3 4 7
timestamp=101                                 prepend  3 4 7
updatedAt=101                                 prepend  3 4 7
sentAt=&affix=prepend                         prepend  -
fromTimestamp=101&affix=prepend               prepend  3 4 7         the word wins
fromTimestamp=101&affix=APPEND                APPEND   3 4 7         in these letters
cursorAffix=append&id=8                       append   9 12
cursorField=id&cursorValue=8                  prepend  3 4 7         a named cursor
cursorField=sentAt&cursorValue=101&cursorId=8&affix=append  append  9 12
cursorId=8                                    prepend  3 4 7 8 9 12  alone it is nothing
toTimestamp=100                               prepend  3 4 7 8 9 12
sentAt=101&updatedAt=102                      prepend  3 4 7         sentAt wins
updatedAt=101&fromTimestamp=1                 append   12            updatedAt wins over fromTimestamp
""".strip("\n").splitlines()
"""Query, the affix that `meta` echoes, ids of the page, and what the line is about."""
LINE = re.compile(r"(\S*)\s+(\S+)\s+(-|\d+(?: \d+)*)(?:\s.*)?")


@pytest.mark.parametrize("line", [pytest.param(line, id=" ".join(line.split())) for line in MEASURED])
def test_which_way_a_list_goes_and_from_where(line: str) -> None:
    match = LINE.fullmatch(line)
    assert match is not None
    query = dict(parse_qsl(match[1].replace("+", "%20"), keep_blank_values=True))

    cut = cut_page(ROWS, history_query(query, documented=False))

    assert " ".join(str(found["id"]) for found in cut.rows) == match[3].replace("-", "")
    assert cut.meta["cursor"]["affix"] == match[2]


def test_an_empty_affix_wins_over_a_time_to_begin_from() -> None:
    assert page(ROWS, fromTimestamp="101", affix="") == [3, 4, 7]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"affix": "append"}, [3, 4], id="after its own second"),
        pytest.param({"affix": "append", "id": "1"}, [2, 3, 4], id="an id makes it a compound cursor"),
        pytest.param({"affix": "prepend"}, [1, 2, 3], id="up to and with the next second"),
        pytest.param({"affix": "prepend", "id": "1"}, [1, 2, 3], id="whatever the id"),
    ],
)
@pytest.mark.parametrize("name", ["sentAt", "updatedAt", "fromTimestamp"])
@pytest.mark.parametrize("beyond_ms", [0, 1, 999])
def test_milliseconds_are_read_as_openchat_does(
    query: dict[str, str], expected: list[int], name: str, beyond_ms: int
) -> None:
    at = 1_795_346_503
    rows = [row(1, at), row(2, at), row(3, at + 1), row(4, at + 2)]

    asked = history_query({**query, name: str(at * 1000 + beyond_ms)}, documented=False)
    assert [found["id"] for found in cut_page(rows, asked).rows] == expected


def test_a_page_has_at_most_100_rows() -> None:
    rows = [row(n) for n in range(250)]

    assert len(page(rows, limit="5000")) == 100
    assert len(page(rows)) == 30


@pytest.mark.parametrize(
    ("query", "cursor", "pagination"),
    [
        pytest.param("per_page=3&affix=append", ("append", 7, 100), (3, 3, 4, 2), id="append: the last row"),
        pytest.param("per_page=10", ("prepend", 3, 100), (6, 10, 6, 1), id="prepend: the first row"),
        pytest.param("affix=append&id=12", ("append", 0, 0), (0, 30, 0, 1), id="an empty page: zeros"),
        pytest.param("limit=0", ("prepend", 12, 102), (1, 0, 1, 2), id="none: one row, there is more"),
        pytest.param("limit=6", ("prepend", 3, 100), (6, 6, 7, 2), id="a page just full: there is more"),
        pytest.param("limit=abc", ("prepend", 12, 102), (1, 30, 1, 1), id="nonsense: one row, the end"),
        pytest.param("affix=x&limit=5000", ("x", 3, 100), (6, 5000, 6, 1), id="sense or not, it is echoed"),
    ],
)
def test_meta_says_where_the_page_ends(
    query: str, cursor: tuple[str, int, int], pagination: tuple[int, int, int, int]
) -> None:
    cut = cut_page(ROWS, history_query(dict(parse_qsl(query)), documented=False))

    names = ("count", "per_page", "total", "total_pages")
    assert cut.meta == {
        "cursor": dict(zip(("affix", "id", "sentAt"), cursor, strict=True)),
        "pagination": {"current_page": 1, **dict(zip(names, pagination, strict=True))},
    }


def test_only_singular_filters_filter_on_openchat_and_both_where_documented() -> None:
    rows = [row(1), row(2, category="custom", type="ChatMessage"), row(3, category="action")]

    assert page(rows, category="custom") == [2]
    assert page(rows, categories="custom") == [1, 2, 3]
    assert page(rows, categories="custom,action", documented=True) == [2, 3]
    assert page(rows, types="ChatMessage", documented=True) == [2]


def test_deleted_rows_are_hidden_on_openchat_unless_asked_for() -> None:
    rows = [row(1), row(2, deletedAt=5)]

    assert page(rows) == [1]
    assert page(rows, hideDeleted="0") == [1]
    assert page(rows, includeDeleted="true") == [1, 2]


def test_deleted_rows_are_shown_where_documented_unless_hidden() -> None:
    rows = [row(1), row(2, deletedAt=5)]

    assert page(rows, documented=True) == [1, 2]
    assert page(rows, documented=True, hideDeleted="1") == [1]
    assert page(rows, documented=True, onlyDeleted="1") == [2]


def test_updated_at_finds_edits_of_older_rows_only_where_documented() -> None:
    rows = [row(1, 100, updatedAt=500), row(2, 200)]

    assert page(rows, affix="append", updatedAt="300") == []
    assert page(rows, affix="append", updatedAt="300", documented=True) == [1]


def test_documented_filters_do_what_their_names_say() -> None:
    rows = [row(1), row(2, parentId=1), row(3, 300, sender="alice", data={"text": "needle"})]

    assert page(rows, documented=True, hideReplies="1") == [1, 3]
    assert page(rows, documented=True, sender="alice") == page(rows, sender="alice") == [3]
    assert page(rows, documented=True, searchKey="need") == [3]
    assert page(rows, documented=True, toTimestamp="200") == [1, 2]


NO_FILTERS = "unread undelivered withTags hideMessagesFromBlockedUsers withThreadSubscribed"
DOCUMENTED_FILTERS = "hideReplies onlyDeleted searchKey tags toTimestamp onlyUpdates count"


@pytest.mark.parametrize("documented", [False, True])
def test_what_is_no_filter_filters_nothing(*, documented: bool) -> None:
    rows = [row(1), row(2, parentId=1, tags=["a"]), row(3, 300)]
    names = NO_FILTERS if documented else f"{NO_FILTERS} {DOCUMENTED_FILTERS}"

    for name in names.split():
        assert page(rows, documented=documented, **{name: "1"}) == [1, 2, 3], name


def test_tags_filter_where_documented() -> None:
    rows = [row(1, tags=["a", "b"]), row(2, tags=["c"]), row(3), row(4, tags=[5])]

    assert page(rows, documented=True, tags="b,c") == [1, 2]


@settings(max_examples=50)
@given(
    times=st.lists(st.integers(0, 3), max_size=20),
    size=st.integers(1, 7),
)
def test_polling_with_append_sees_every_row_once_and_in_order(times: list[int], size: int) -> None:
    rows = [row(number * 2, at) for number, at in enumerate(sorted(times), start=1)]
    seen: list[int] = []
    last = 0

    while True:
        cut = cut_page(
            rows, history_query({"affix": "append", "id": str(last), "limit": str(size)}, documented=False)
        )
        seen += [found["id"] for found in cut.rows]
        last = cut.meta["cursor"]["id"] or last
        if cut.meta["pagination"]["total_pages"] == 1:
            break

    assert seen == [found["id"] for found in rows]


NAMES = "affix id limit per_page sentAt updatedAt type category sender hideDeleted"


@settings(max_examples=50)
@given(
    query=st.dictionaries(st.sampled_from(NAMES.split()), st.text(max_size=25)),
    documented=st.booleans(),
)
def test_no_query_breaks_a_page(query: dict[str, str], *, documented: bool) -> None:
    cut = cut_page(ROWS, history_query(query, documented=documented))

    ids = [found["id"] for found in cut.rows]
    assert ids == sorted(ids)
    assert cut.meta["pagination"]["count"] == len(ids)
