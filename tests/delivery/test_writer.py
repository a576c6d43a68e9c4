import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from hangbot.delivery.shared_threads import SharedThreads
from hangbot.delivery.thread_writer import ThreadWriter
from hangbot.delivery.writer import InlineWriter, Work
from tests.bounds import WITHIN
from tests.cases import cases
from tests.delivery.builders import DELIVERED, Watched, message, no_thread_is_left, opened

Go = Callable[[], None]
"""Lets the thread go on."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Watched]:
    with closing(
        sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None, check_same_thread=False)
    ) as real:
        real.execute("CREATE TABLE line (text)")
        yield Watched(real)


@pytest_asyncio.fixture
async def writer(database: Watched) -> AsyncIterator[ThreadWriter]:
    writer = ThreadWriter(lambda: database)  # type: ignore[arg-type, return-value]  # as good as one
    try:
        await writer.open()
        yield writer
    finally:
        await writer.close()


def write(text: str) -> Work:
    return lambda database: database.execute("INSERT INTO line VALUES (?)", (text,)).rowcount


def read(database: sqlite3.Connection) -> list[str]:
    return [text for (text,) in database.execute("SELECT text FROM line")]


def unable() -> sqlite3.Connection:
    raise sqlite3.OperationalError("unable to open database file")


def fail(_: sqlite3.Connection) -> None:
    raise ValueError("a bug")


@pytest_asyncio.fixture
async def held(writer: ThreadWriter) -> AsyncIterator[Callable[[], None]]:
    """Keep the thread busy until told otherwise, so that what is asked for meanwhile is one batch."""
    begun, go = threading.Event(), threading.Event()

    def block(_: sqlite3.Connection) -> None:
        begun.set()
        go.wait(WITHIN)

    blocking = writer.submit(block, writes=False)
    await asyncio.to_thread(begun.wait, WITHIN)
    yield go.set
    go.set()
    await blocking


async def test_what_waits_is_one_commit_in_order(writer: ThreadWriter, database: Watched, held: Go) -> None:
    jobs = [writer.submit(write(f"{number}"), writes=True) for number in range(20)]

    held()
    results = await asyncio.gather(*jobs)

    assert results == [1] * 20
    assert database.said.count("COMMIT") == 1
    assert await writer.submit(read, writes=False) == [f"{number}" for number in range(20)]


async def test_more_than_fit_into_one_batch_are_done_all_the_same(database: Watched) -> None:
    writer = ThreadWriter(lambda: database, most_at_once=3)  # type: ignore[arg-type, return-value]  # as good as one
    await writer.open()
    tasks = [writer.submit(write("x"), writes=True) for _ in range(10)]

    await asyncio.gather(*tasks)
    await writer.close()

    assert database.said.count("COMMIT") == 4


async def test_reading_alone_takes_no_transaction(writer: ThreadWriter, database: Watched) -> None:
    await asyncio.gather(*(writer.submit(read, writes=False) for _ in range(3)))

    assert database.said.count("COMMIT") == 0


async def test_a_job_that_fails_undoes_itself_alone(writer: ThreadWriter, held: Go) -> None:
    def half(database: sqlite3.Connection) -> None:
        write("half")(database)
        raise ValueError("a bug")

    works: list[tuple[Work, bool]] = [(write("a"), True), (half, True), (fail, False), (write("b"), True)]
    tasks = [writer.submit(work, writes=writes) for work, writes in works]

    held()
    ends = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(end).__name__ for end in ends] == ["int", "ValueError", "ValueError", "int"]
    assert await writer.submit(read, writes=False) == ["a", "b"]


async def test_neighbours_that_share_a_call_keep_their_place(writer: ThreadWriter, held: Go) -> None:
    calls: list[list[str]] = []

    def write_all(database: sqlite3.Connection, texts: Sequence[str]) -> list[str]:
        calls.append(list(texts))
        database.executemany("INSERT INTO line VALUES (?)", [(text,) for text in texts])
        return [f"{text} written" for text in texts]

    def share(text: str) -> asyncio.Future[str]:
        return writer.submit(write_all, writes=True, shared=True, item=text)

    jobs = [share("a"), share("b"), writer.submit(read, writes=False), share("c")]

    held()

    assert await asyncio.gather(*jobs) == ["a written", "b written", ["a", "b"], "c written"]
    assert calls == [["a", "b"], ["c"]]


async def test_one_of_those_that_share_fails_alone(writer: ThreadWriter, held: Go) -> None:
    def write_all(database: sqlite3.Connection, texts: Sequence[str]) -> list[str]:
        database.executemany("INSERT INTO line VALUES (?)", [(text,) for text in texts])
        if "bad" in texts:
            raise ValueError("a bug")
        return list(texts)

    jobs = [writer.submit(write_all, writes=True, shared=True, item=text) for text in ("a", "bad", "b")]

    held()
    good, bad, also_good = await asyncio.gather(*jobs, return_exceptions=True)

    assert (good, also_good) == ("a", "b")
    assert isinstance(bad, ValueError)
    assert await writer.submit(read, writes=False) == ["a", "b"]


def full(database: sqlite3.Connection) -> None:
    database.execute("ROLLBACK")  # as SQLite does by itself
    raise sqlite3.OperationalError("disk is full")


def read_full(database: sqlite3.Connection) -> None:
    full(database)


@cases(
    "fails_at works ends",
    ("a read may have seen what is not there", {"COMMIT"}, [write("a"), read], ["COMMIT", "COMMIT"]),
    ("a fault keeps its own error", {"COMMIT"}, [write("a"), fail], ["COMMIT", "a bug"]),
    ("all of it is gone", set(), [write("a"), full, write("b")], ["disk is full"] * 3),
    ("with a read", set(), [write("a"), read_full, write("b")], ["disk is full"] * 3),
    ("the beginning", {"BEGIN IMMEDIATE"}, [write("a")], ["BEGIN IMMEDIATE"]),
    ("when run again", {"SAVEPOINT job"}, [write("a"), fail], ["SAVEPOINT job"] * 2),
    ("at its end", {"RELEASE job"}, [write("a"), fail], ["RELEASE job"] * 2),
    ("not undone", {"ROLLBACK TO job"}, [write("a"), fail], ["ROLLBACK TO job"] * 2),
)
async def test_of_a_batch_that_fails_nothing_is_done_and_the_next_one_works(
    *,
    writer: ThreadWriter,
    database: Watched,
    held: Go,
    fails_at: set[str],
    works: list[Work],
    ends: list[str],
) -> None:
    database.fails_at = set(fails_at)
    tasks = [writer.submit(work, writes=work not in {read, read_full}) for work in works]

    held()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    database.fails_at.clear()

    assert [str(error).split(":")[0] for error in errors] == ends
    assert await writer.submit(read, writes=False) == []
    assert await writer.submit(write("next"), writes=True) == 1
    assert await writer.submit(read, writes=False) == ["next"]


async def test_a_disk_that_cannot_undo_ends_no_thread(writer: ThreadWriter, database: Watched) -> None:
    database.fails_at = {"COMMIT", "ROLLBACK"}
    with pytest.raises(sqlite3.OperationalError, match="COMMIT"):
        await writer.submit(write("a"), writes=True)
    with pytest.raises(sqlite3.OperationalError, match="ROLLBACK"):
        await writer.submit(write("b"), writes=True)
    database.fails_at.clear()

    await writer.submit(write("d"), writes=True)

    assert await writer.submit(read, writes=False) == ["d"]


async def test_to_stop_waiting_does_not_stop_the_work(writer: ThreadWriter, held: Go) -> None:
    hasty = writer.submit(write("hasty"), writes=True)
    failing = writer.submit(fail, writes=True)

    for task in (hasty, failing):
        task.cancel()
    await asyncio.wait([hasty, failing])
    held()

    assert await writer.submit(read, writes=False) == ["hasty"]


async def test_closing_finishes_what_was_asked_for(
    writer: ThreadWriter, database: Watched, held: Go, tmp_path: Path
) -> None:
    tasks = [writer.submit(write(f"{n}"), writes=True) for n in range(5)]

    closing_it = asyncio.create_task(writer.close(), name="close")
    await asyncio.sleep(0)  # one turn: it has begun
    with pytest.raises(RuntimeError, match="closed"):
        await writer.submit(write("late"), writes=True)
    held()
    await closing_it

    assert await asyncio.gather(*tasks) == [1] * 5
    with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as again:
        assert read(again) == [f"{n}" for n in range(5)]
    with pytest.raises(sqlite3.ProgrammingError):
        database.real.execute("SELECT 1")


async def test_closing_is_harmless_twice_and_without_opening(writer: ThreadWriter, database: Watched) -> None:
    await asyncio.gather(writer.close(), writer.close())
    await ThreadWriter(lambda: database).close()  # type: ignore[arg-type, return-value]  # as good as one


async def test_a_connection_that_cannot_close_holds_nothing_up(
    writer: ThreadWriter, database: Watched
) -> None:
    database.fails_at = {"close"}

    await asyncio.wait_for(writer.close(), WITHIN)


async def test_an_opening_that_fails_is_told_and_nothing_is_left_to_wait_for() -> None:
    writer = ThreadWriter(unable)
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        await writer.open()
    with pytest.raises(RuntimeError, match="closed"):
        await writer.submit(read, writes=False)

    await asyncio.wait_for(writer.close(), WITHIN)
    assert no_thread_is_left()


async def test_a_system_that_has_no_thread_left_opens_nothing_and_leaves_nothing(
    database: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_: object) -> None:
        raise RuntimeError("can't start new thread")

    writer = ThreadWriter(lambda: database, threads=SharedThreads())  # type: ignore[arg-type, return-value]  # as good as one
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", none_left)
        with pytest.raises(RuntimeError, match="new thread"):
            await writer.open()

    await asyncio.wait_for(writer.close(), WITHIN)
    assert no_thread_is_left()


async def test_an_opening_that_is_given_up_and_fails_is_still_closed() -> None:
    go = threading.Event()

    def connect() -> sqlite3.Connection:
        go.wait(WITHIN)
        return unable()

    writer = ThreadWriter(connect)
    opening = asyncio.create_task(writer.open(), name="open")
    await asyncio.sleep(0)  # one turn: it has begun
    opening.cancel()
    await asyncio.wait([opening])
    go.set()

    await asyncio.wait_for(writer.close(), WITHIN)
    assert opening.cancelled()


def test_a_loop_that_ends_first_loses_no_write_and_leaves_no_thread(database: Watched) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection) -> None:
        begun.set()
        go.wait(WITHIN)
        write("slow")(connection)

    async def main() -> None:
        writer = ThreadWriter(lambda: database)  # type: ignore[arg-type, return-value]  # as good as one
        await writer.open()
        waiting = writer.submit(slow, writes=True)
        await asyncio.to_thread(begun.wait, WITHIN)
        for task in (waiting, asyncio.create_task(writer.close(), name="close")):
            await asyncio.sleep(0)  # one turn: it has begun
            task.cancel()

    asyncio.run(main())
    go.set()

    assert no_thread_is_left()
    assert database.said.count("COMMIT") == 1


# -- in the caller


async def test_a_writer_without_a_thread_has_done_it_when_it_returns(database: Watched) -> None:
    writer = InlineWriter(lambda: database, lambda error: RuntimeError(f"translated: {error}"))  # type: ignore[arg-type, return-value]  # as good as one
    await writer.open()

    done = [writer.submit(write("a"), writes=True), writer.submit(fail, writes=True)]
    states = [each.done() for each in done]
    seen = await writer.submit(read, writes=False)
    await writer.close()
    await writer.close()

    assert (states, seen, database.said.count("COMMIT")) == ([True, True], ["a"], 2)
    with pytest.raises(RuntimeError, match="translated: a bug"):
        await done[1]
    with pytest.raises(RuntimeError, match="the writer is closed"):
        writer.submit(read, writes=False)


async def test_an_opening_in_the_caller_that_fails_is_translated() -> None:
    with pytest.raises(RuntimeError, match="unable to open"):
        await InlineWriter(unable, lambda error: RuntimeError(str(error))).open()


async def test_an_outbox_without_a_thread_accepts_and_settles(path: Path) -> None:
    async with opened(path, make_writer=InlineWriter) as box:
        await box.put([message()], 10.0)
        claimed = await box.claim("room")
        await box.settle("m", DELIVERED, [], 20.0)

        assert claimed
        assert (await box.get("m")).state == "delivered"
        assert no_thread_is_left()
