import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hangbot.clock import SystemClock
from hangbot.delivery import tables
from hangbot.delivery.inbox import Inbox, Remembered
from hangbot.delivery.owner import Owner
from hangbot.delivery.tables import VERSION, is_outbox, prepare
from hangbot.errors import OutboxOfAnother, OutboxUnusable
from tests.delivery.builders import message, opened

TABLES = """
CREATE TABLE message (
 seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
 receiver TEXT NOT NULL, direct INTEGER NOT NULL, text TEXT NOT NULL, extra TEXT NOT NULL,
 state TEXT NOT NULL, tier INTEGER, attempts INTEGER NOT NULL DEFAULT 0, in_doubt INTEGER NOT NULL DEFAULT 0,
 accepted_at REAL NOT NULL, settled_at REAL, reason TEXT NOT NULL DEFAULT '', remedy TEXT NOT NULL DEFAULT ''
{since_version_2});
CREATE TABLE step (
 message INTEGER NOT NULL REFERENCES message (seq) ON DELETE CASCADE,
 at REAL NOT NULL, kind TEXT NOT NULL, attempt INTEGER NOT NULL, detail TEXT NOT NULL, seconds REAL NOT NULL
);
CREATE INDEX step_of ON step (message);
CREATE INDEX message_waiting ON message ({waiting}) WHERE state IN ('queued', 'sending');
PRAGMA application_id = 0x48414E47;
PRAGMA user_version = {version};
PRAGMA journal_mode = WAL;
INSERT INTO message
 (id, receiver, direct, text, extra, state, tier, attempts, in_doubt, accepted_at, settled_at)
VALUES
 ('there', 'room', 0, 'hi', '{{"images": [], "mentions": [], "parts": 1}}', 'delivered', 1, 1, 0, 10.0, 11.0),
 ('away', 'b', 1, 'ho', '{{"images": ["i"], "mentions": [{{"start": 0}}], "parts": 1}}',
  'sending', NULL, 1, 1, 12.0, NULL),
 ('long', 'a', 0, 'one', '{{"images": [], "mentions": [], "parts": 2}}', 'queued', NULL, 0, 0, 13.0, NULL),
 ('long.2', 'a', 0, 'two', '{{"images": [], "mentions": [], "parts": 2}}', 'queued', NULL, 0, 0, 13.0, NULL);
INSERT INTO step VALUES (2, 12.5, 'attempt', 1, '', 0.0);
"""
"""What the first versions of hangbot made, word for word but for the gaps; it is never changed."""
VERSION_1 = TABLES.format(since_version_2="", waiting="seq", version=1)
VERSION_2 = (
    TABLES.format(since_version_2=", whole TEXT, expires_at REAL", waiting="receiver, seq", version=2)
    + """
UPDATE message SET whole = replace(id, '.2', '');
UPDATE message SET expires_at = accepted_at + 86400.0 WHERE whole IN ('there', 'away');
"""
)
VERSION_3 = (
    TABLES.format(
        since_version_2=", whole TEXT, expires_at REAL,"
        " room TEXT NOT NULL DEFAULT '', boot_id TEXT, boot_at REAL",
        waiting="room, receiver, seq",
        version=3,
    )
    + """
UPDATE message SET whole = replace(id, '.2', ''), room = CASE WHEN direct THEN '' ELSE receiver END;
CREATE TABLE owner (uid TEXT NOT NULL);
INSERT INTO owner VALUES ('bot');
"""
)


def connected(path: Path, **how: Any) -> closing[sqlite3.Connection]:  # noqa: ANN401  passed on as they are
    return closing(sqlite3.connect(path, isolation_level=None, **how))


def version(database: sqlite3.Connection) -> int:
    found: int = database.execute("PRAGMA user_version").fetchone()[0]
    return found


def made(path: Path, sql: str) -> Path:
    with connected(path) as database:
        database.executescript(sql)
    return path


@pytest.fixture
def old(path: Path) -> Path:
    return made(path, VERSION_1)


@pytest.fixture
def database(path: Path) -> Iterator[sqlite3.Connection]:
    with connected(path) as database:
        yield database


def layout(database: sqlite3.Connection) -> dict[str, object]:
    """Return the columns of each table, and the text of each index."""
    names = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    columns = 'SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?) ORDER BY cid'
    indexes = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql NOT NULL")
    return {name: database.execute(columns, (name,)).fetchall() for (name,) in names} | {
        name: sql.strip() for name, sql in indexes
    }


async def test_an_outbox_of_the_first_version_is_taken_over_with_all_that_is_in_it(old: Path) -> None:
    async with opened(old) as box:
        rows = await box.rows()
        await box.recover(20.0)
        waiting = {to: await box.claim(to) for to in await box.receivers()}
        history = await box.history("away")
        again = await box.put([message("there")], 50.0)

    assert [(row.message.id, row.state, row.attempts, row.in_doubt) for row in rows] == [
        ("there", "delivered", 1, False),
        ("away", "sending", 1, True),
        ("long", "queued", 0, False),
        ("long.2", "queued", 0, False),
    ]
    assert rows[1].message == message("away", "b", "ho", direct=True, mentions=({"start": 0},), images=("i",))
    assert [row.group_id for row in rows][:3] == ["there", "away", "long"]
    assert [row.expires_at for row in rows] == [None] * 4
    assert [(to, row and row.message.id) for to, row in waiting.items()] == [("b", "away"), ("a", "long")]
    assert [(step.kind, step.at) for step in history] == [("accepted", 12.0), ("attempt", 12.5)]
    assert [(row.state, row.accepted_at) for row in again] == [("delivered", 10.0)]


async def test_what_the_second_version_left_belongs_to_its_room_and_to_no_bot_yet(path: Path) -> None:
    made(path, VERSION_2)

    async with opened(path, Owner("bot", "a", binds=False)) as looking:
        rows = await looking.rows()
        receivers = await looking.receivers()
    async with opened(path, Owner("bot", "a")):
        pass
    with pytest.raises(OutboxOfAnother, match="the bot bot's; this configuration is for the bot stranger"):
        async with opened(path, Owner("stranger", "a")):
            raise AssertionError

    assert [(row.message.id, row.room, row.boot, row.expires_at) for row in rows] == [
        ("there", "room", None, 86410.0),
        ("away", "", None, 86412.0),
        ("long", "a", None, None),
        ("long.2", "a", None, None),
    ]
    assert receivers == ["a"]


async def test_what_the_third_version_left_has_an_inbox_that_begins(path: Path) -> None:
    made(path, VERSION_3)

    async with opened(path, Owner("bot", "a")) as box:
        inbox = Inbox(box.place, SystemClock())
        found = await inbox.load()
        await inbox.handled("group_a", [7], 5)
        rows = await box.rows()

    assert found == Remembered(1, None, {})
    assert [row.message.id for row in rows] == ["there", "away", "long", "long.2"]


@pytest.mark.parametrize(
    "sql", [VERSION_1, VERSION_2, VERSION_3], ids=["the first version", "the second", "the third"]
)
def test_a_file_that_was_taken_over_is_like_a_new_one(sql: str, path: Path, tmp_path: Path) -> None:
    with connected(made(path, sql)) as taken, connected(tmp_path / "new") as new:
        prepare(taken)
        prepare(new)

        assert layout(taken) == layout(new)
        assert version(taken) == VERSION


def test_a_take_over_that_fails_half_way_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (tables._MIGRATIONS[0], tables._MIGRATIONS[1] + ";\nALTER TABLE ghost ADD COLUMN x")
    with connected(old) as database:
        before = layout(database)
        monkeypatch.setattr(tables, "_MIGRATIONS", broken)

        with pytest.raises(sqlite3.OperationalError, match="ghost"):
            prepare(database)

        assert layout(database) == before
        assert version(database) == 1
        assert not database.in_transaction


def test_a_disk_that_is_full_half_way_is_told_as_what_it_is(old: Path) -> None:
    class Full(sqlite3.Connection):
        def execute(self, sql: str, *args: object) -> sqlite3.Cursor:
            if sql.startswith("UPDATE message"):
                super().execute("ROLLBACK")  # as SQLite does by itself
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *args)  # type: ignore[arg-type]  # passed on as they are

    with connected(old, factory=Full) as database:
        with pytest.raises(sqlite3.OperationalError, match="full"):
            prepare(database)

        assert version(database) == 1


@pytest.mark.parametrize("other", [VERSION, 99], ids=["this version", "a later one"])
def test_who_comes_second_to_a_take_over_does_it_no_second_time(old: Path, other: int) -> None:
    class Late(sqlite3.Connection):
        """Another process is quicker, between the first look and the migration."""

        def execute(self, sql: str, *args: object) -> sqlite3.Cursor:
            if sql == "BEGIN IMMEDIATE":
                with connected(old) as quicker:
                    prepare(quicker)
                    quicker.execute(f"PRAGMA user_version = {other}")
            return super().execute(sql, *args)  # type: ignore[arg-type]  # passed on as they are

    with connected(old, factory=Late) as database:
        prepare(database)

        assert database.execute("SELECT count(*), count(whole) FROM message").fetchone() == (4, 4)
        assert version(database) == other


def test_what_is_on_disk_is_written_through_and_in_one_place(database: sqlite3.Connection) -> None:
    prepare(database)

    pragmas = [
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "application_id")
    ]
    assert pragmas == ["wal", 2, 1, 0x48414E47]  # 2 is FULL


def test_another_programs_file_is_left_alone(path: Path, database: sqlite3.Connection) -> None:
    database.execute("CREATE TABLE cookies (id)")
    before = path.read_bytes()

    with pytest.raises(OutboxUnusable, match="another program's database; it was left as it is"):
        prepare(database)

    assert path.read_bytes() == before
    assert not is_outbox(path.read_bytes())


def test_a_later_versions_file_is_left_alone(old: Path, database: sqlite3.Connection) -> None:
    database.execute(f"PRAGMA user_version = {VERSION + 1}")

    with pytest.raises(OutboxUnusable, match=f"of version {VERSION + 1}, this hangbot knows up to {VERSION}"):
        prepare(database)

    assert version(database) == VERSION + 1
    assert is_outbox(old.read_bytes()[:100])


def test_an_outbox_is_known_by_its_first_bytes_alone(path: Path, database: sqlite3.Connection) -> None:
    prepare(database)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = path.read_bytes()

    path.write_bytes(whole[:100] + b"\xff" * 500)

    assert is_outbox(path.read_bytes()[:100])


@pytest.mark.parametrize(
    "content",
    [b"", b"shopping list", b"SQLite format 3\0", b"x" * 68 + b"HANG" + b"x" * 28],
    ids=["nothing", "text", "a bare beginning", "the mark without the format"],
)
def test_what_never_was_an_outbox_is_not_taken_for_one(content: bytes) -> None:
    assert not is_outbox(content)


def test_the_write_ahead_log_is_waited_for_while_another_process_makes_the_file(tmp_path: Path) -> None:
    with (
        connected(tmp_path / "new", check_same_thread=False) as other,
        connected(tmp_path / "new", timeout=0) as database,
    ):
        other.execute("BEGIN IMMEDIATE")
        soon = threading.Timer(0.05, other.execute, ["ROLLBACK"])
        soon.start()

        prepare(database)

        soon.join()
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_stays_busy_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_SWITCHED_WITHIN", 0.05)
    with connected(tmp_path / "new") as other, connected(tmp_path / "new", timeout=0) as database:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            prepare(database)
