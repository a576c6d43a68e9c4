"""A room's rows: what is made of records is what stood where they were written, whatever was done there."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hangbot.delivery import inbox_sql, kept_sql, put_sql, write_sql
from hangbot.delivery.kept_sql import Change, TimerChange
from hangbot.delivery.record import Step
from hangbot.delivery.writer import Job, run_batch
from hangbot.errors import HangbotError
from hangbot.fleet.records import Record, Rows, decode, encode
from hangbot.fleet.replica import Replica
from tests.delivery.builders import DELIVERED, FAILED, message

Work = Callable[[sqlite3.Connection], object]
IDS = st.sampled_from(["a", "b", "c", "d"])
LINES = st.integers(1, 9)


def put(key: str, parts: int) -> Work:
    ids = [key, *(f"{key}.{number}" for number in range(2, parts + 1))]
    return partial(put_sql.put, texts=[put_sql.NewMessage([message(each) for each in ids], 1.0)])


def step(key: str) -> Step:
    return Step(key, 2.0, "attempt", 1, "why", 0.5)


def change(key: str, value: str | None, expires_at: float | None) -> Work:
    return partial(kept_sql.change, changes=[Change("app", key, value, expires_at)], now=5.0)


def schedule(key: str, due: float | None) -> Work:
    return partial(kept_sql.schedule, changes=[TimerChange("app", key, due, "ring")])


def handled(key: str, heard: set[int], low: int, seen: set[int]) -> Work:
    witnesses = [inbox_sql.Witness(line, line, f"print-{line}", done=True) for line in seen]
    mark = inbox_sql.Handled(key, sorted(heard), low, witnesses, 6.0)
    return partial(inbox_sql.handled, marks=[mark])


WORKS: st.SearchStrategy[Work] = st.one_of(
    st.builds(put, IDS, st.integers(1, 3)),
    IDS.map(lambda key: partial(write_sql.mark_sending, key=key, steps=[step(key)])),
    st.builds(
        lambda key, end: partial(write_sql.settle, key=key, settlement=end, steps=[step(key)], now=3.0),
        IDS,
        st.sampled_from([DELIVERED, FAILED]),
    ),
    IDS.map(lambda key: partial(write_sql.requeue, keys=[key], now=4.0)),
    IDS.map(lambda key: partial(write_sql.drop, keys=[key], now=4.0)),
    st.just(partial(write_sql.recover, now=4.0)),
    st.integers(0, 2).map(lambda most: partial(write_sql.prune, before=0.0, most=most, keep_from=10.0)),
    st.builds(change, IDS, st.none() | st.text(max_size=3), st.sampled_from([None, 4.0, 9.0])),
    st.builds(schedule, IDS, st.none() | st.floats(0, 9)),
    st.builds(handled, IDS, st.sets(LINES, max_size=3), LINES, st.sets(LINES, max_size=3)),
    st.builds(lambda key: partial(inbox_sql.begin, key=key, low=3, witnesses=[], now=6.0), IDS),
    st.just(partial(inbox_sql.new_epoch, kept=2)),
)


@given(batches=st.lists(st.lists(WORKS, min_size=1, max_size=4), min_size=1, max_size=12))
def test_the_rows_of_a_reader_and_of_records_written_anew_are_the_writers(batches: list[list[Work]]) -> None:
    loop = asyncio.new_event_loop()  # for the futures only: it never runs
    with closing(loop), replica() as writer, replica() as reader, replica() as anew:
        for batch in batches:
            jobs = [Job(work, writes=True, done=loop.create_future()) for work in batch]
            run_batch(writer.database, jobs, commit=False)  # what fails undoes its own
            assert all(isinstance(job.error, HangbotError | None) for job in jobs)
            take(reader, *writer.changes())
            writer.keep()

            assert all_of(reader) == all_of(writer)
        for rows in writer.all_rows():
            take(anew, [rows], [])
        assert all_of(anew) == all_of(writer)


def test_what_is_kept_is_undone_by_nothing_that_comes_after_it() -> None:
    refused = partial(put_sql.put, texts=[put_sql.NewMessage([message("a", "other words")], 2.0)])
    with replica() as rows:
        run_batch(rows.database, [Job(put("a", 1), writes=True, done=None)], commit=False)
        rows.keep()

        rows.roll_back()
        run_batch(rows.database, [Job(refused, writes=False, done=None)])
        run_batch(rows.database, [Job(put("b", 1), writes=True, done=None)], commit=False)
        rows.roll_back()

        assert [key for (key,) in rows.database.execute("SELECT id FROM message")] == ["a"]


@contextmanager
def replica() -> Iterator[Replica]:
    with closing(Replica()) as made:
        yield made


def take(replica: Replica, rows: list[Rows], gone: list[Rows]) -> None:
    """Take a record over, as it comes out of the cluster."""
    replica.apply(decode(encode(Record("k", 1, "a test", 0, rows=rows, gone=gone)), "lounge"))


def all_of(replica: Replica) -> dict[str, list[Any]]:
    """Return all rows; not SQLite's own counter: the number of what is gone may be used again."""
    run = replica.database.execute
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    names = [name for (name,) in run(tables)]
    wanted = {name: "rowid, *" if name == "step" else "*" for name in names}  # what steps are ordered by
    return {name: sorted(run(f"SELECT {wanted[name]} FROM main.{name}"), key=repr) for name in names}  # noqa: S608  names of our tables
