"""A transaction of a room's outbox as one record: what rows it left. PURE: bytes in, rows out."""

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic_core import to_json

from hangbot.errors import OutboxUnusable
from hangbot.fleet.packed import UNREADABLE, unpacked

__all__ = ["NEEDS", "VERSION", "Record", "RecordsNewer", "Rows", "decode", "encode"]

VERSION: Final = 1
"""Of the records that are written here."""
NEEDS: Final = 1
"""The oldest version that can read them: what it does not know of in them, it may leave out."""
_DEFLATE_FROM: Final = 2048
_LEVEL: Final = 1


class RecordsNewer(OutboxUnusable):
    """A newer hangbot wrote a room's records in a way that this one cannot read."""

    remedy = "Upgrade hangbot here; until then a newer worker serves this room."


class Rows(NamedTuple):
    """Rows of one table.

    Attributes:
        table: The table.
        columns: What each row gives a value of; the first ones name the row.
        rows: The values.
        whole: Whether these are all columns of the table; without, they are changes of rows that are there.
    """

    table: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    whole: bool = True


class Record(NamedTuple):
    """A transaction.

    Attributes:
        key: Its own name.
        previous: The sequence of the room's record before it; 0: there was none.
        writer: What wrote it, in words.
        fence: The highest fence of the room so far: who holds a lower one owns the room no more.
        begins: Whether the rows that the room has begin anew with it, so that none before it is needed.
        rows: What is there from then on.
        gone: What is not; only the columns that name a row.
    """

    key: str
    previous: int
    writer: str
    fence: int
    begins: bool = False
    rows: Sequence[Rows] = ()
    gone: Sequence[Rows] = ()


def encode(record: Record) -> bytes:
    """Write a record."""
    head: dict[str, Any] = {
        "v": VERSION,
        "needs": NEEDS,
        "key": record.key,
        "previous": record.previous,
        "writer": record.writer,
        "fence": record.fence,
    }
    if record.begins:
        head["begins"] = True
    if record.rows:
        head["rows"] = [[each.table, each.whole, each.columns, each.rows] for each in record.rows]
    if record.gone:
        head["gone"] = [[each.table, each.columns, each.rows] for each in record.gone]
    data = to_json(head)
    return data if len(data) < _DEFLATE_FROM else zlib.compress(data, _LEVEL)


def decode(data: bytes, room: str) -> Record:
    """Read a record of a room, which is named where it cannot be.

    Raises:
        RecordsNewer: A newer hangbot wrote it in another way.
        OutboxUnusable: It is no record at all.
    """
    try:
        head = json.loads(unpacked(data).decode("utf-8"))
        needs, version = int(head["needs"]), int(head["v"])
        if needs <= VERSION:
            return _read(head)
    except UNREADABLE as exc:
        raise OutboxUnusable(
            f"the room {room} has a record in the cluster that is no hangbot's ({type(exc).__name__})",
            remedy="Is the stream another project's? `hangbot fleet check` looks at it.",
        ) from exc
    raise RecordsNewer(
        f"the room {room} was written by a newer hangbot: its records are of version {version}"
        f" and need {needs}, this one reads up to {VERSION}"
    )


def _read(head: Mapping[str, Any]) -> Record:
    return Record(
        str(head["key"]),
        int(head["previous"]),
        str(head["writer"]),
        int(head["fence"]),
        bool(head.get("begins", False)),
        [Rows(table, columns, rows, bool(whole)) for table, whole, columns, rows in head.get("rows", ())],
        [Rows(table, columns, rows) for table, columns, rows in head.get("gone", ())],
    )
