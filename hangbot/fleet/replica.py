"""A room's rows in memory, made from its records: SQLite's own tables, and what each transaction changes.

Triggers say which rows a transaction touches, and of those that it changes which columns; what is written
down of them is their state at its end. So a record says what is there, not how it came about, and to read one
twice does no harm.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hangbot.delivery.database import connect_in_memory
from hangbot.fleet.records import Record, Rows

__all__ = ["Replica"]

_ROWS_AT_ONCE: Final = 100
"""Rows in one record where all are written anew."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A table.

    Attributes:
        name: Its name.
        key: The columns that name a row.
        columns: All of them, those first.
        where: The condition that finds a row by its name.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    where: str

    def key_of(self, row: str) -> str:
        """Return the expressions for the name of a trigger's ``new`` or ``old`` row."""
        return ", ".join(f"{row}.{column}" for column in self.key)

    def find(self, columns: Sequence[str]) -> str:
        """Return the query for a row's values."""
        return f"SELECT {', '.join(columns)} FROM main.{self.name} WHERE {self.where}"  # noqa: S608  names of our tables


class Replica:
    """The rows of one room, as an SQLite database in memory."""

    def __init__(self) -> None:
        self._database = connect_in_memory()
        self._is_kept = False
        """Whether what the open transaction has changed is kept, and only its end is missing."""
        self._tables = {table.name: table for table in _tables(self._database)}
        self._touched: dict[tuple[str, ...], set[str]] = defaultdict(set)
        """Of each row, by its table and its name: the columns that were changed, an empty one for all.

        Also of changes that were undone with a savepoint: such a row is read as it was.
        """
        self._note_changes()

    @property
    def database(self) -> sqlite3.Connection:
        """The connection, with nothing open but what is not kept yet."""
        if self._is_kept:
            self._is_kept = False
            self._database.execute("COMMIT")
        return self._database

    def close(self) -> None:
        """Forget all; closing twice is harmless."""
        self._is_kept = False
        self._database.close()

    def changes(self) -> tuple[list[Rows], list[Rows]]:
        """Return what the open transaction has changed: rows that are there, and rows that are gone."""
        there: dict[tuple[str, tuple[str, ...], bool], list[Sequence[Any]]] = defaultdict(list)
        gone: dict[str, list[Sequence[Any]]] = defaultdict(list)
        for (name, *key), touched in self._touched.items():
            table = self._tables[name]
            whole = "" in touched
            wanted = table.columns if whole else (*table.key, *sorted(touched))
            row = self.database.execute(table.find(wanted), key).fetchone()
            if row is None:
                gone[name].append(key)
            else:
                there[name, wanted, whole].append(row)
        return (
            [Rows(name, wanted, rows, whole) for (name, wanted, whole), rows in there.items()],
            [Rows(name, self._tables[name].key, rows) for name, rows in gone.items()],
        )

    def keep(self) -> None:
        """Keep what the open transaction has changed.

        It ends before the database is used again: there is no other connection, and what waits for a job does
        not wait for that.
        """
        self._touched.clear()
        self._is_kept = self._database.in_transaction

    def roll_back(self) -> None:
        """Undo what the open transaction has changed."""
        self._touched.clear()
        if self.database.in_transaction:
            self.database.execute("ROLLBACK")

    def apply(self, record: Record) -> None:
        """Have the rows be as a record says; what it says of tables and columns unknown here is left out."""
        self.database.execute("PRAGMA foreign_keys = OFF")  # what went with another row is named as well
        try:
            self.database.execute("BEGIN")
            try:
                for rows in record.gone:
                    self._remove(rows)
                for rows in record.rows:
                    self._write(rows)
                self.keep()
            except BaseException:
                self.roll_back()
                raise
        finally:
            self.database.execute("PRAGMA foreign_keys = ON")

    def all_rows(self) -> Iterator[Rows]:
        """Yield every row, some at a time."""
        for table in self._tables.values():
            names = ", ".join(table.columns)
            found = self.database.execute(f"SELECT {names} FROM main.{table.name}")  # noqa: S608  names of our tables
            while rows := found.fetchmany(_ROWS_AT_ONCE):
                yield Rows(table.name, table.columns, rows)

    def _remove(self, rows: Rows) -> None:
        if table := self._tables.get(rows.table):
            self.database.executemany(
                f"DELETE FROM main.{table.name} WHERE {table.where}",  # noqa: S608  names of our tables
                rows.rows,
            )

    def _write(self, rows: Rows) -> None:
        table = self._tables.get(rows.table)
        if table is None:
            return
        places = [place for place, column in enumerate(rows.columns) if column in table.columns]
        columns = [rows.columns[place] for place in places]
        values = [[row[place] for place in places] for row in rows.rows]
        if rows.whole:
            marks = ", ".join("?" * len(columns))
            statement = f"INSERT OR REPLACE INTO main.{table.name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608  names of our tables
        else:
            keys = len(table.key)
            if not columns[keys:]:
                return
            changed = ", ".join(f"{column} = ?" for column in columns[keys:])
            statement = f"UPDATE main.{table.name} SET {changed} WHERE {table.where}"  # noqa: S608  names of our tables
            values = [[*row[keys:], *row[:keys]] for row in values]
        self.database.executemany(statement, values)

    def _note(self, column: str, *row: str) -> None:
        self._touched[row].add(column)

    def _note_changes(self) -> None:
        run = self.database.execute
        run("PRAGMA recursive_triggers = ON")  # a row that gives way to another is noted as well
        self._database.create_function("touched", -1, self._note)
        for table in self._tables.values():
            new, old = table.key_of("new"), table.key_of("old")
            events = [("INSERT", new, ""), ("DELETE", old, "")]
            rest = [column for column in table.columns if column not in table.key]
            events += [(f"UPDATE OF {column}", new, column) for column in rest]
            for number, (event, key, column) in enumerate(events):
                run(
                    f"CREATE TEMP TRIGGER {table.name}_{number} AFTER {event} ON main.{table.name}"
                    f" BEGIN SELECT touched('{column}', '{table.name}', {key}); END"
                )
            for column in table.key if table.key != ("rowid",) else ():
                run(
                    f"CREATE TEMP TRIGGER {table.name}_{column} BEFORE UPDATE OF {column}"
                    f" ON main.{table.name}"
                    " BEGIN SELECT raise(ABORT, 'what names a row is never changed'); END"
                )


def _tables(database: sqlite3.Connection) -> Iterator[_Table]:
    names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    for (name,) in database.execute(names).fetchall():
        found = database.execute(f"PRAGMA table_info({name})").fetchall()
        numbered = sorted((place, column) for _, column, _, _, _, place in found if place)
        key = tuple(column for _, column in numbered) or ("rowid",)
        rest = (column for _, column, *_ in found if column not in key)
        yield _Table(name, key, (*key, *rest), " AND ".join(f"{column} = ?" for column in key))
