"""What handlers leave at the same moment: it shares a transaction, and each has all of its own or nothing."""

import asyncio
from collections.abc import Sequence
from typing import Final

import pytest

from hangbot.clock import SystemClock
from hangbot.delivery import kept_sql
from hangbot.delivery.inbox import Inbox
from hangbot.delivery.inbox_sql import Handled
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.store import UNREAD, Change, Store, TimerChange
from hangbot.delivery.writes import Writes
from hangbot.errors import StoreConflict
from tests.cases import cases
from tests.delivery.builders import message

ROOM: Final = "group_room"
CONFLICT: Final = "a conflict"


def points(user: str, value: str | None, was: str | None = None) -> Change:
    return Change(user, "points", value, was=was)


def handled(*lines: int, low: int = 0) -> Handled:
    return Handled(ROOM, lines, low, (), 1.0)


async def kept(outbox: Outbox, users: Sequence[str]) -> list[str | None]:
    store = Store(outbox.place, SystemClock())
    return await asyncio.gather(*(store.read(user, "points") for user in users))


async def test_each_of_those_that_commit_at_once_has_its_own(outbox: Outbox) -> None:
    inbox = Inbox(outbox.place, SystemClock())
    await inbox.begin(ROOM, 10)

    stored = await asyncio.gather(
        outbox.commit([[message("a")], [message("b")]], Writes([points("ann", "1")], (), handled(12)), 1.0),
        outbox.commit([], Writes([points("bob", "2")], [TimerChange("t", "x", 5.0)], handled(14)), 1.0),
        outbox.commit([[message("c.1"), message("c.2")]], Writes((), (), handled(11, low=11)), 1.0),
    )

    ids = [[[row.message.id for row in parts] for parts in texts] for texts in stored]
    assert ids == [[["a"], ["b"]], [], [["c.1", "c.2"]]]
    assert await kept(outbox, ["ann", "eve", "bob"]) == ["1", None, "2"]
    assert [timer.id for timer in await Store(outbox.place, SystemClock()).timers_called("t", "x")] == ["x"]
    marks = (await inbox.load()).conversations[ROOM]
    assert (marks.low, set(marks.heard)) == (11, {12, 14})


async def test_one_that_conflicts_leaves_nothing_and_those_beside_it_all(outbox: Outbox) -> None:
    inbox = Inbox(outbox.place, SystemClock())
    await inbox.begin(ROOM, 10)

    ends = await asyncio.gather(
        outbox.commit([[message("a")]], Writes([points("ann", "1")], (), handled(11)), 1.0),
        outbox.commit([[message("b")]], Writes([points("ann", "2")], (), handled(12)), 1.0),
        outbox.commit([[message("c")]], Writes([points("ann", "3", was="1")], (), handled(13)), 1.0),
        return_exceptions=True,
    )

    assert [type(end) for end in ends] == [list, StoreConflict, list]
    assert [row.message.id for row in await outbox.rows()] == ["a", "c"]
    assert await kept(outbox, ["ann"]) == ["3"]
    assert (await inbox.load()).conversations[ROOM].heard == {11, 13}


@cases(
    "there was value left",
    ("as it was read", ("1", None), "1", "2", "2"),
    ("another one", ("0", None), "1", "2", CONFLICT),
    ("gone", None, "1", "2", CONFLICT),
    ("expired", ("1", 5.0), "1", "2", CONFLICT),
    ("none, as it was read", None, None, "2", "2"),
    ("none but an expired one", ("1", 5.0), None, "2", "2"),
    ("one where none was", ("1", None), None, "2", CONFLICT),
    ("never read", ("1", None), UNREAD, "2", "2"),
    ("taken away", ("1", None), "1", None, None),
    ("another one, not taken away", ("0", None), "1", None, CONFLICT),
    ("none, and none to be taken away", None, None, None, None),
)
async def test_a_change_is_made_where_there_is_what_was_read(
    outbox: Outbox,
    there: tuple[str, float | None] | None,
    was: str | None,
    value: str | None,
    left: str | None,
) -> None:
    await outbox.commit([], Writes([Change("ann", "points", *there)] if there else []), 1.0)

    committing = outbox.commit([[message()]], Writes([points("ann", value, was=was)]), 10.0)

    if left == CONFLICT:
        with pytest.raises(StoreConflict, match="'points' was changed meanwhile"):
            await committing
        assert await outbox.rows() == []
    else:
        await committing
        assert await kept(outbox, ["ann"]) == [left]


async def test_what_one_commits_another_that_asks_behind_it_reads(outbox: Outbox) -> None:
    store = Store(outbox.place, SystemClock())

    reading = asyncio.ensure_future(store.read("ann", "points"))
    await asyncio.sleep(0)
    committing = outbox.commit([], Writes([points("ann", "1")]), 1.0)
    after = await kept(outbox, ["ann", "bob"])
    await committing

    assert (await reading, after) == (None, ["1", None])


async def test_one_of_those_that_read_at_once_fails_alone_and_no_transaction_stays_open(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await outbox.commit([], Writes([points("ann", "1"), points("bob", "2")]), 1.0)
    real = kept_sql.read

    def fail_on_eve(database: object, space: str, *more: object) -> str | None:
        if space == "eve":
            raise ValueError("a bug")
        return real(database, space, *more)  # type: ignore[arg-type]  # passed on as they are

    monkeypatch.setattr(kept_sql, "read", fail_on_eve)
    store = Store(outbox.place, SystemClock())
    ann, eve, bob = await asyncio.gather(
        *(store.read(user, "points") for user in ("ann", "eve", "bob")), return_exceptions=True
    )

    assert (ann, bob) == ("1", "2")
    assert isinstance(eve, ValueError)
    assert not await outbox.place.read(lambda database: database.in_transaction)


@pytest.mark.of_a_file
async def test_those_that_read_at_once_see_one_moment(outbox: Outbox, elsewhere: Outbox) -> None:
    def begin(name: str) -> Writes:
        return Writes([Change(user, "points", name) for user in "abcdefgh"])

    await outbox.commit([], begin("0"), 1.0)
    for round_ in range(20):
        found, _ = await asyncio.gather(
            kept(outbox, "abcdefgh"), elsewhere.commit([], begin(str(round_)), 1.0)
        )
        assert len(set(found)) == 1
