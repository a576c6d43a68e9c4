"""Which rows a page of history holds, and what its `meta` says.

PURE. OpenChat's behaviour is measured; CometChat's is documented, and where the documents
are silent this module does what OpenChat does and says so.

A page is always oldest first. `append` means after the cursor, `prepend` (the default, also
for an unknown word) before it. An `id` is exclusive. A time alone loses every row of the
cursor's own second; an id together with a time is one compound cursor (time, id).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hangbot.sandbox.chat.rows import Row

__all__ = ["HistoryQuery", "Page", "cut_page", "history_query"]

DEFAULT_SIZE: Final = 30
LARGEST_SIZE: Final = 100
MILLISECONDS_FROM: Final = 100_000_000_000
"""A time above this cannot be seconds: the client sent milliseconds (seen in public bots)."""
MOST_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What the query of a list asks for; times in seconds."""

    affix: str = "prepend"
    """As it was sent: `meta.cursor.affix` echoes even an unknown word."""
    per_page: int = DEFAULT_SIZE
    """As it was sent, before the clamp to 1…100: `meta` echoes this one too; 30 for nonsense."""
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


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    text = text.strip()
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > MOST_DIGITS:
        return None
    return int(text)


def _seconds(text: str | None) -> int | None:
    number = _number(text)
    return number // 1000 if number is not None and number > MILLISECONDS_FROM else number


def _words(query: Mapping[str, str], singular: str, plural: str, *, both: bool) -> frozenset[str]:
    words = query.get(singular, "")
    if both:
        words = f"{words},{query.get(plural, '')}"
    return frozenset(word for word in words.split(",") if word)


def history_query(query: Mapping[str, str], *, documented: bool, affix: str = "prepend") -> HistoryQuery:
    """Read the parameters of a list.

    Args:
        query: The parameters; of a repeated one the last.
        documented: Follow CometChat's documentation (plural filters, `updatedAt` means
            "changed after", deleted rows are shown unless hidden) rather than what was
            measured on OpenChat (only singular filters, `updatedAt` is `sentAt`).
        affix: What counts where the query names none.
    """
    size = query.get("per_page", query.get("limit"))
    per_page = _number(size)
    at = _seconds(query.get("sentAt"))
    changed_after = _seconds(query.get("updatedAt"))
    since = _seconds(query.get("fromTimestamp"))
    if not documented:
        at, changed_after = (at if at is not None else changed_after), None
    if at is None:
        at = since
    return HistoryQuery(
        affix=query.get("affix") or affix,
        per_page=DEFAULT_SIZE if per_page is None else per_page,
        size=min(max(per_page or 0, 1), LARGEST_SIZE) if size is not None else DEFAULT_SIZE,
        id=_number(query.get("id")),
        at=at,
        changed_after=changed_after,
        until=_seconds(query.get("toTimestamp")) if documented else None,
        categories=_words(query, "category", "categories", both=documented),
        types=_words(query, "type", "types", both=documented),
        tags=_words(query, "tags", "tags", both=False) if documented else frozenset(),
        sender=query.get("sender") or None,
        show_deleted=query.get("includeDeleted") == "true"
        or (documented and query.get("hideDeleted") not in ("1", "true")),
        only_deleted=documented and query.get("onlyDeleted") in ("1", "true"),
        hide_replies=documented and query.get("hideReplies") in ("1", "true"),
        search=(query.get("searchKey") or None) if documented else None,
    )


def _passes(row: Row, query: HistoryQuery) -> bool:  # noqa: C901, PLR0911  one line a filter
    if query.categories and row["category"] not in query.categories:
        return False
    if query.types and row["type"] not in query.types:
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
    if query.until is not None and row["sentAt"] > query.until:
        return False
    return query.search is None or query.search in str(row["data"].get("text", ""))


def _beyond(row: Row, query: HistoryQuery) -> bool:
    """Whether the row lies on the wanted side of the cursor."""
    if query.at is None:
        if query.id is None:
            return True
        return bool(row["id"] > query.id) if query.appends else bool(row["id"] < query.id)
    if query.id is None:
        return bool(row["sentAt"] > query.at) if query.appends else bool(row["sentAt"] < query.at)
    place, cursor = (row["sentAt"], row["id"]), (query.at, query.id)
    return place > cursor if query.appends else place < cursor


def cut_page(rows: Sequence[Row], query: HistoryQuery) -> Page:
    """Cut the page that `query` asks for out of a conversation's rows (oldest first).

    `meta` was measured: `total` and `total_pages` only say whether the page was full, for
    which OpenChat takes the number as it was sent. So `limit=0` gives one row and "there is
    more", a nonsense number one row and "the end", and a last page that is just full is
    followed by an empty one.
    """
    page: list[Row] = []
    for row in rows if query.appends else reversed(rows):
        if len(page) == query.size:
            break
        if _beyond(row, query) and _passes(row, query):
            page.append(row)
    if not query.appends:
        page.reverse()
    full = bool(page) and len(page) >= query.per_page
    edge = (page[-1] if query.appends else page[0]) if page else {"id": 0, "sentAt": 0}
    return Page(
        page,
        {
            "cursor": {"affix": query.affix, "id": edge["id"], "sentAt": edge["sentAt"]},
            "pagination": {
                "count": len(page),
                "current_page": 1,
                "per_page": query.per_page,
                "total": max(query.per_page, 0) + 1 if full else len(page),
                "total_pages": 2 if full else 1,
            },
        },
    )
