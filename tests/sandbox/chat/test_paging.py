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


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({}, [3, 4, 7, 8, 9, 12], id="without parameters everything, oldest first"),
        pytest.param({"per_page": "2"}, [9, 12], id="prepend without a cursor is the newest"),
        pytest.param({"limit": "2"}, [9, 12], id="limit is another word for per_page"),
        pytest.param(
            {"per_page": "2", "affix": "append"}, [3, 4], id="append without a cursor is the oldest"
        ),
        pytest.param({"affix": "append", "id": "7"}, [8, 9, 12], id="append after an id excludes it"),
        pytest.param({"affix": "prepend", "id": "7"}, [3, 4], id="prepend before an id excludes it"),
        pytest.param({"id": "7"}, [3, 4], id="an id alone pages backwards: the polling bot goes deaf"),
        pytest.param({"affix": "sideways", "id": "7"}, [3, 4], id="an unknown affix is prepend"),
        pytest.param({"affix": "append", "id": "5"}, [7, 8, 9, 12], id="the id need not exist"),
        pytest.param({"affix": "append", "sentAt": "101"}, [12], id="a time alone loses its own second"),
        pytest.param({"affix": "prepend", "sentAt": "101"}, [3, 4, 7], id="also backwards"),
        pytest.param(
            {"affix": "append", "sentAt": "101", "id": "8"}, [9, 12], id="time and id are one compound cursor"
        ),
        pytest.param({"affix": "append", "updatedAt": "101"}, [12], id="updatedAt counts as sentAt"),
        pytest.param({"affix": "append", "fromTimestamp": "101"}, [12], id="so does fromTimestamp"),
        pytest.param({"limit": "abc"}, [12], id="a nonsense limit gives one row (measured)"),
        pytest.param({"id": "abc", "affix": "append"}, [3, 4, 7, 8, 9, 12], id="a nonsense id is none"),
        pytest.param({"limit": "-5"}, [12], id="a limit below one is one"),
        pytest.param({"id": "9" * 40}, [3, 4, 7, 8, 9, 12], id="a number too long is none"),
    ],
)
def test_a_page_is_cut_as_measured_on_openchat(query: dict[str, str], expected: list[int]) -> None:
    cut = cut_page(ROWS, history_query(query, documented=False))

    assert [found["id"] for found in cut.rows] == expected


@pytest.mark.parametrize(
    ("query", "affix", "expected"),
    [
        pytest.param({"fromTimestamp": "101"}, "append", [12], id="a time to begin from goes forward"),
        pytest.param({"fromTimeStamp": "101"}, "append", [12], id="in other letters, too"),
        pytest.param({"from_timestamp": "101"}, "append", [12], id="and with a stroke"),
        pytest.param({"fromTimestamp": ""}, "append", [3, 4, 7, 8, 9, 12], id="empty, it is 0"),
        pytest.param({"fromId": "8"}, "append", [9, 12], id="an id to begin from"),
        pytest.param({"afterId": "8"}, "append", [9, 12], id="an id to come after"),
        pytest.param({"messageId": "8"}, "prepend", [3, 4, 7], id="messageId goes back"),
        pytest.param({"beforeId": "8"}, "prepend", [3, 4, 7], id="beforeId goes back"),
        pytest.param({"sentAt": "101"}, "prepend", [3, 4, 7], id="sentAt goes back"),
        pytest.param({"timestamp": "101"}, "prepend", [3, 4, 7], id="timestamp is sentAt"),
        pytest.param({"updatedAt": "101"}, "prepend", [3, 4, 7], id="updatedAt goes back"),
        pytest.param({"fromTimestamp": "101", "affix": "prepend"}, "prepend", [3, 4, 7], id="the word wins"),
        pytest.param({"fromTimestamp": "101", "affix": ""}, "", [3, 4, 7], id="even an empty one"),
        pytest.param({"fromTimestamp": "101", "affix": "APPEND"}, "APPEND", [3, 4, 7], id="letters count"),
        pytest.param({"cursorAffix": "append", "id": "8"}, "append", [9, 12], id="cursorAffix is affix"),
        pytest.param({"cursorField": "id", "cursorValue": "8"}, "prepend", [3, 4, 7], id="a named cursor"),
        pytest.param(
            {"cursorField": "sentAt", "cursorValue": "101", "cursorId": "8", "affix": "append"},
            "append",
            [9, 12],
            id="a named compound cursor",
        ),
        pytest.param({"cursorId": "8"}, "prepend", [3, 4, 7, 8, 9, 12], id="cursorId alone is nothing"),
        pytest.param({"toTimestamp": "100"}, "prepend", [3, 4, 7, 8, 9, 12], id="toTimestamp does nothing"),
        pytest.param({"sentAt": "101", "updatedAt": "102"}, "prepend", [3, 4, 7], id="sentAt wins"),
        pytest.param(
            {"updatedAt": "101", "fromTimestamp": "1"}, "append", [12], id="updatedAt wins over fromTimestamp"
        ),
        pytest.param({"id": "abc"}, "prepend", [], id="nothing lies before no number"),
        pytest.param({"id": "8x", "affix": "append"}, "append", [9, 12], id="leading digits count"),
        pytest.param({"id": "-1", "affix": "append"}, "append", [3, 4, 7, 8, 9, 12], id="a negative id"),
        pytest.param({"sentAt": "", "affix": "prepend"}, "prepend", [], id="an empty time is 0"),
    ],
)
def test_which_way_a_list_goes_and_from_where(query: dict[str, str], affix: str, expected: list[int]) -> None:
    cut = cut_page(ROWS, history_query(query, documented=False))

    assert [found["id"] for found in cut.rows] == expected
    assert cut.meta["cursor"]["affix"] == affix


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


@pytest.mark.parametrize("size", ["2", "2.9", "2e1", "2abc", "02"])
@pytest.mark.parametrize("name", ["per_page", "limit"])
def test_of_a_size_the_leading_digits_count(name: str, size: str) -> None:
    cut = cut_page(ROWS, history_query({name: size}, documented=False))

    assert [found["id"] for found in cut.rows] == [9, 12]


@pytest.mark.parametrize("size", ["", "abc", " 5", "0", "-3", "null"])
@pytest.mark.parametrize("name", ["per_page", "limit"])
def test_a_size_that_is_none_or_less_than_one_is_one(name: str, size: str) -> None:
    cut = cut_page(ROWS, history_query({name: size}, documented=False))

    assert [found["id"] for found in cut.rows] == [12]


def test_per_page_wins_over_limit_and_a_page_number_moves_nothing() -> None:
    assert page(ROWS, per_page="1", limit="3") == page(ROWS, per_page="1", page="2") == [12]


def test_a_time_in_milliseconds_is_recognised() -> None:
    rows = [row(1, 1_795_346_503), row(2, 1_795_346_504)]

    found = page(rows, affix="append", sentAt="1795346503000")

    assert found == [2]


def test_a_page_has_at_most_100_rows() -> None:
    rows = [row(n) for n in range(250)]

    assert len(page(rows, limit="5000")) == 100
    assert len(page(rows)) == 30


@pytest.mark.parametrize(
    ("query", "cursor", "pagination"),
    [
        pytest.param(
            {"per_page": "3", "affix": "append"},
            {"affix": "append", "id": 7, "sentAt": 100},
            {"count": 3, "current_page": 1, "per_page": 3, "total": 4, "total_pages": 2},
            id="append names the last row, and that there is more",
        ),
        pytest.param(
            {"per_page": "10"},
            {"affix": "prepend", "id": 3, "sentAt": 100},
            {"count": 6, "current_page": 1, "per_page": 10, "total": 6, "total_pages": 1},
            id="prepend names the first row, and the end",
        ),
        pytest.param(
            {"affix": "append", "id": "12"},
            {"affix": "append", "id": 0, "sentAt": 0},
            {"count": 0, "current_page": 1, "per_page": 30, "total": 0, "total_pages": 1},
            id="an empty page names zeros",
        ),
        pytest.param(
            {"limit": "0"},
            {"affix": "prepend", "id": 12, "sentAt": 102},
            {"count": 1, "current_page": 1, "per_page": 0, "total": 1, "total_pages": 2},
            id="a limit of zero gives one row and says there is more (measured)",
        ),
        pytest.param(
            {"limit": "6"},
            {"affix": "prepend", "id": 3, "sentAt": 100},
            {"count": 6, "current_page": 1, "per_page": 6, "total": 7, "total_pages": 2},
            id="a last page that is just full says that there is more (measured)",
        ),
        pytest.param(
            {"limit": "abc"},
            {"affix": "prepend", "id": 12, "sentAt": 102},
            {"count": 1, "current_page": 1, "per_page": 30, "total": 1, "total_pages": 1},
            id="a nonsense limit gives one row, and the end (measured)",
        ),
        pytest.param(
            {"affix": "sideways", "limit": "5000"},
            {"affix": "sideways", "id": 3, "sentAt": 100},
            {"count": 6, "current_page": 1, "per_page": 5000, "total": 6, "total_pages": 1},
            id="meta echoes what was sent, sense or not",
        ),
    ],
)
def test_meta_says_where_the_page_ends(query: dict[str, str], cursor: Row, pagination: Row) -> None:
    cut = cut_page(ROWS, history_query(query, documented=False))

    assert cut.meta == {"cursor": cursor, "pagination": pagination}


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


@pytest.mark.parametrize(
    "name",
    [
        *("hideReplies", "onlyDeleted", "searchKey", "tags", "withTags", "toTimestamp", "onlyUpdates"),
        *("unread", "undelivered", "hideMessagesFromBlockedUsers", "withThreadSubscribed", "count"),
    ],
)
def test_openchat_ignores_what_else_is_documented(name: str) -> None:
    rows = [row(1), row(2, parentId=1, tags=["a"]), row(3, 300)]

    cut = cut_page(rows, history_query({name: "1"}, documented=False))

    assert [found["id"] for found in cut.rows] == [1, 2, 3]


@pytest.mark.parametrize(
    "name", ["unread", "undelivered", "withTags", "hideMessagesFromBlockedUsers", "withThreadSubscribed"]
)
def test_what_would_need_receipts_or_block_lists_filters_nothing_where_documented_either(name: str) -> None:
    cut = cut_page([row(1), row(2, tags=["a"])], history_query({name: "1"}, documented=True))

    assert [found["id"] for found in cut.rows] == [1, 2]


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


@settings(max_examples=50)
@given(
    query=st.dictionaries(
        st.sampled_from(
            [
                "affix",
                "id",
                "limit",
                "per_page",
                "sentAt",
                "updatedAt",
                "type",
                "category",
                "sender",
                "hideDeleted",
            ]
        ),
        st.text(max_size=25),
    ),
    documented=st.booleans(),
)
def test_no_query_breaks_a_page(query: dict[str, str], *, documented: bool) -> None:
    cut = cut_page(ROWS, history_query(query, documented=documented))

    ids = [found["id"] for found in cut.rows]
    assert ids == sorted(ids)
    assert cut.meta["pagination"]["count"] == len(ids)
