"""Which rows a page of history holds, and what its `meta` says.

PURE. OpenChat's behaviour is measured; CometChat's is documented, and where the documents
are silent this module does what OpenChat does and says so.

A page is always oldest first. `append` means after the cursor, `prepend` (also for an unknown
word) before it. Which of the two counts where none is named depends on the cursor: a time to
begin from means `append`. An `id` is exclusive. A time alone loses every row of the cursor's own
second; an id together with a time is one compound cursor (time, id).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hangbot.sandbox.chat.rows import Row, sent_at
from hangbot.sandbox.chat.values import leading_number

__all__ = [
    "HistoryQuery",
    "Page",
    "cut_page",
    "history_query",
    "page_size",
    "pagination",
    "things_page",
    "wants_append",
]

DEFAULT_SIZE: Final = 30
LARGEST_SIZE: Final = 100
MILLISECONDS_FROM: Final = 10_000_000_000
"""A time from here on cannot be seconds: the client sent milliseconds (seen in public bots)."""

_SINCE: Final = ("fromTimestamp", "fromTimeStamp", "from_timestamp")
_TIMES: Final = ("sentAt", "timestamp", "updatedAt", *_SINCE)
_IDS: Final = ("id", "messageId", "beforeId", "fromId", "afterId")
_FORWARD: Final = (*_SINCE, "fromId", "afterId")
"""With one of these a list goes forward by itself."""


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What the query of a list asks for; times in seconds."""

    affix: str = "prepend"
    """As it was sent: `meta.cursor.affix` echoes even an unknown word."""
    per_page: int = DEFAULT_SIZE
    """As it was sent, before the clamp to 1…100: `meta` echoes this one too; 30 for nonsense."""
    page: int = 1
    """As it was sent; it only stands in `meta`."""
    size: int = DEFAULT_SIZE
    """How many rows there will be: clamped, and 1 for nonsense."""
    id: int | None = None
    at: int | None = None
    """`sentAt`, or what counts as it."""
    changed_after: int | None = None
    """CometChat's `updatedAt`: rows that changed after, whenever they were sent."""
    until: int | None = None
    categories: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    sender: str | None = None
    show_deleted: bool = False
    only_deleted: bool = False
    hide_replies: bool = False
    search: str | None = None

    @property
    def appends(self) -> bool:
        """Whether the page lies after the cursor."""
        return self.affix == "append"


@dataclass(frozen=True, slots=True)
class Page:
    """A page, oldest first, and its `meta`."""

    rows: list[Row]
    meta: dict[str, Any]


def page_size(query: Mapping[str, str], default: int = DEFAULT_SIZE) -> tuple[int, int]:
    """Return how many rows are asked for, as `meta` echoes it, and how many there will be.

    Measured: `per_page` wins over `limit`, nonsense and less than one mean one, 100 is the most.
    """
    asked = query.get("per_page", query.get("limit"))
    if asked is None:
        return default, default
    number = leading_number(asked)
    return default if number is None else number, min(max(number or 0, 1), LARGEST_SIZE)


def pagination(count: int, per_page: int, page: int) -> Row:
    """Say of a page whether there is more, in the words of a pagination (measured).

    `total` and `total_pages` only show whether this page was full, compared with the size as it was
    sent. So `limit=0` gives one row and "there is more", a nonsense number one row and "the
    end", and a last page that is just full is followed by an empty one.
    """
    full = count > 0 and count >= per_page
    return {
        "count": count,
        "current_page": page,
        "per_page": per_page,
        "total": page * per_page + 1 if full else (page - 1) * per_page + count,
        "total_pages": page + 1 if full else page,
    }


def wants_append(query: Mapping[str, str], default: str = "prepend") -> bool:
    """Return whether a list goes forward from its cursor."""
    return _affix(query, default, forward=True) == "append"


def _affix(query: Mapping[str, str], default: str, *, forward: bool) -> str:
    named = query.get("affix", query.get("cursorAffix"))
    if named is not None:
        return named
    return "append" if forward and any(name in query for name in _FORWARD) else default


def _first(query: Mapping[str, str], names: Sequence[str]) -> int | None:
    """Read the first parameter that is there; one that is no number counts as 0."""
    for name in names:
        if name in query:
            return leading_number(query[name]) or 0
    return None


def _seconds(number: int | None) -> int | None:
    return number // 1000 if number is not None and number >= MILLISECONDS_FROM else number


def _words(query: Mapping[str, str], singular: str, plural: str) -> frozenset[str]:
    words = f"{query.get(singular, '')},{query.get(plural, '')}"
    return frozenset(word for word in words.split(",") if word)


def history_query(query: Mapping[str, str], *, documented: bool, affix: str = "prepend") -> HistoryQuery:
    """Read the parameters of a list.

    Args:
        query: The parameters; of a repeated one the last.
        documented: Follow CometChat's documentation (plural filters, `updatedAt` means
            "changed after", deleted rows are shown unless hidden) rather than what was
            measured on OpenChat (only singular filters, `updatedAt` is `sentAt`).
        affix: What counts where the query names none, and nothing else decides it.
    """
    return (_documented if documented else _measured)(query, affix)


def _measured(query: Mapping[str, str], affix: str) -> HistoryQuery:
    """OpenChat's reading: many names for one cursor, and three filters."""
    at, number = _first(query, _TIMES), _first(query, _IDS)
    match query.get("cursorField"):
        case "id" if number is None:
            number = _first(query, ("cursorValue",))
        case "sentAt" | "updatedAt" if at is None:
            at = _first(query, ("cursorValue",))
            number = _first(query, ("cursorId",)) if number is None else number
        case _:
            pass
    word = _affix(query, affix, forward=True)
    if at is not None and at >= MILLISECONDS_FROM and word != "append":
        at, number = at // 1000 + 2, None  # measured: with the next second, whatever the id
    else:
        at = _seconds(at)
    per_page, size = page_size(query)
    page = leading_number(query.get("page"))
    return HistoryQuery(
        affix=word,
        per_page=per_page,
        page=1 if page is None else page,
        size=size,
        id=number,
        at=at,
        categories=frozenset(filter(None, (query.get("category"),))),
        types=frozenset(filter(None, (query.get("type"),))),
        sender=query.get("sender") or None,
        show_deleted=query.get("includeDeleted") == "true",
    )


def _documented(query: Mapping[str, str], affix: str) -> HistoryQuery:
    """CometChat's reading."""
    per_page, size = page_size(query)
    at = _first(query, ("sentAt", *_SINCE))
    return HistoryQuery(
        affix=_affix(query, affix, forward=False) or affix,
        per_page=per_page,
        size=size,
        id=_first(query, ("id",)),
        at=_seconds(at),
        changed_after=_seconds(_first(query, ("updatedAt",))),
        until=_seconds(_first(query, ("toTimestamp",))),
        categories=_words(query, "category", "categories"),
        types=_words(query, "type", "types"),
        tags=_words(query, "tags", "tags"),
        sender=query.get("sender") or None,
        show_deleted=query.get("includeDeleted") == "true" or query.get("hideDeleted") not in ("1", "true"),
        only_deleted=query.get("onlyDeleted") in ("1", "true"),
        hide_replies=query.get("hideReplies") in ("1", "true"),
        search=query.get("searchKey") or None,
    )


def _passes(row: Row, query: HistoryQuery) -> bool:  # noqa: C901, PLR0911  one line a filter
    if query.categories and str(row["category"]) not in query.categories:
        return False
    if query.types and str(row["type"]) not in query.types:
        return False
    if query.tags and query.tags.isdisjoint(tag for tag in row.get("tags", ()) if isinstance(tag, str)):
        return False
    if query.sender is not None and row["sender"] != query.sender:
        return False
    if "deletedAt" in row:
        if not (query.show_deleted or query.only_deleted):
            return False
    elif query.only_deleted:
        return False
    if query.hide_replies and "parentId" in row:
        return False
    if query.changed_after is not None and row["updatedAt"] <= query.changed_after:
        return False
    if query.until is not None and sent_at(row) > query.until:
        return False
    return query.search is None or query.search in str(row["data"].get("text", ""))


def _beyond(row: Row, query: HistoryQuery) -> bool:
    """Return whether the row lies on the wanted side of the cursor."""
    if query.at is None:
        if query.id is None:
            return True
        return bool(row["id"] > query.id) if query.appends else bool(row["id"] < query.id)
    if query.id is None:
        return sent_at(row) > query.at if query.appends else sent_at(row) < query.at
    place, cursor = (sent_at(row), row["id"]), (query.at, query.id)
    return place > cursor if query.appends else place < cursor


def cut_page(rows: Sequence[Row], query: HistoryQuery) -> Page:
    """Cut the page that `query` asks for out of a conversation's rows (oldest first)."""
    page: list[Row] = []
    for row in rows if query.appends else reversed(rows):
        if len(page) == query.size:
            break
        if _beyond(row, query) and _passes(row, query):
            page.append(row)
    if not query.appends:
        page.reverse()
    edge = (page[-1] if query.appends else page[0]) if page else {"id": 0, "sentAt": 0}
    cursor = {"affix": query.affix, "id": edge["id"], "sentAt": edge["sentAt"]}
    return Page(page, {"cursor": cursor, "pagination": pagination(len(page), query.per_page, query.page)})


def things_page(found: Sequence[Row], query: Mapping[str, str]) -> list[Row]:
    """Cut a page out of users, groups or conversations: these lists know pages by number."""
    _, size = page_size(query)
    page = max(leading_number(query.get("page")) or 1, 1)
    return list(found[(page - 1) * size : page * size])
