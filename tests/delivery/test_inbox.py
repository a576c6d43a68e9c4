import asyncio
import math
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from hangbot.clock import SystemClock
from hangbot.delivery import inbox_sql
from hangbot.delivery.inbox import ConversationMarks, Inbox, Remembered, Witness
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.writer import InlineWriter
from hangbot.errors import OutboxUnusable
from tests.bounds import WITHIN
from tests.cases import cases
from tests.delivery.builders import KEPT, opened
from tests.memory import IN_MEMORY
from tests.quick_runner import QuickRunner

ROOM = "group_room"


def witness(line: int, *, done: bool = True) -> Witness:
    return Witness(line, 1_795_000_000 + line, f"print-{line}", done)


@pytest_asyncio.fixture
async def inbox(outbox: Outbox) -> Inbox:
    return Inbox(outbox.place, SystemClock())


@pytest_asyncio.fixture
async def restarted(path: Path) -> AsyncIterator[Inbox]:
    """The inbox as the next process finds it, opened before anything was written."""
    async with opened(path) as box:
        yield Inbox(box.place, SystemClock())


async def marks(inbox: Inbox, key: str = ROOM) -> ConversationMarks:
    return (await inbox.load()).conversations[key]


async def test_a_new_inbox_knows_nothing_and_is_in_its_first_epoch(inbox: Inbox) -> None:
    found = await inbox.load()

    assert found == Remembered(1, None, {})


async def test_what_was_handled_is_there_after_a_restart(inbox: Inbox, restarted: Inbox) -> None:
    await inbox.begin(ROOM, 40, [witness(39), witness(40)])
    await inbox.handled(ROOM, [42, 44], 40, [witness(41, done=False), witness(42)])
    await inbox.begin_direct(40)
    found = await restarted.load()

    assert (found.epoch, found.base) == (1, 40)
    assert found.conversations[ROOM]._replace(begun_at=0.0) == ConversationMarks(
        40, frozenset({42, 44}), (witness(39), witness(40), witness(41, done=False), witness(42)), 1
    )
    assert found.conversations[ROOM].begun_at > 1_700_000_000


async def test_a_low_mark_covers_what_is_below_it_and_never_goes_back(inbox: Inbox) -> None:
    await inbox.begin(ROOM, 40)
    await inbox.handled(ROOM, [42, 43, 45], 40)
    await inbox.handled(ROOM, [41], 43)
    await inbox.handled(ROOM, [44], 41)  # submitted late

    found = await marks(inbox)

    assert (found.low, found.heard) == (43, frozenset({44, 45}))


async def test_a_late_mark_below_the_low_one_leaves_nothing_behind(inbox: Inbox) -> None:
    await inbox.begin(ROOM, 40)
    await inbox.handled(ROOM, [], 50)
    await inbox.handled(ROOM, [42], 41)

    assert (await marks(inbox)).heard == set()


async def test_a_line_is_handled_twice_and_marked_once(inbox: Inbox) -> None:
    await inbox.begin(ROOM, 40)
    for _ in range(2):
        await inbox.handled(ROOM, [42], 40, [witness(42, done=False)])
    await inbox.handled(ROOM, [42], 40, [witness(42)])

    found = await marks(inbox)

    assert (found.heard, found.witnesses) == (frozenset({42}), (witness(42),))


async def test_conversations_do_not_meet(inbox: Inbox) -> None:
    await inbox.begin(ROOM, 10)
    await inbox.handled("user_ann", [30], 20)
    await inbox.handled("group_other", [], 25)
    await inbox.begin(ROOM, 12)

    found = (await inbox.load()).conversations

    assert {key: (one.low, set(one.heard)) for key, one in found.items()} == {
        ROOM: (12, set()),
        "user_ann": (20, {30}),
        "group_other": (25, set()),
    }


async def test_what_begins_anew_has_forgotten_what_was_before(inbox: Inbox) -> None:
    await inbox.begin(ROOM, 40, [witness(40)])
    await inbox.handled(ROOM, [42], 40, [witness(42)])

    await inbox.begin(ROOM, 3, [witness(3)])

    found = await marks(inbox)
    assert (found.low, found.heard, found.witnesses) == (3, frozenset(), (witness(3),))


async def test_a_new_epoch_is_kept_and_what_has_not_begun_in_it_says_so(
    inbox: Inbox, restarted: Inbox
) -> None:
    await inbox.begin(ROOM, 40)
    await inbox.begin("user_ann", 30)

    epochs = [await inbox.new_epoch(0), await inbox.new_epoch(0)]
    await inbox.begin(ROOM, 2)

    found = await restarted.load()
    assert epochs == [2, 3]
    assert found.epoch == 3
    assert {key: one.epoch for key, one in found.conversations.items()} == {ROOM: 3, "user_ann": 1}


@cases(
    "base kept then",
    ("a server that kept nothing", 30, 0, 0),
    ("one that kept a part", 30, 12, 12),
    ("one that kept more", 30, 40, 30),
    ("before the first start", None, 12, None),
)
async def test_with_a_new_epoch_direct_conversations_begin_behind_what_the_server_kept(
    inbox: Inbox, restarted: Inbox, base: int | None, kept: int, then: int | None
) -> None:
    if base is not None:
        await inbox.begin_direct(base)

    await inbox.new_epoch(kept)

    assert (await restarted.load()).base == then


async def test_marks_that_are_submitted_together_are_written_together(inbox: Inbox) -> None:
    await inbox.begin(ROOM, 0)
    written = [inbox.handled(ROOM, [line], line - 1, [witness(line)]) for line in range(1, 501)]
    for each in written:
        await each

    found = await marks(inbox)
    assert (found.low, found.heard) == (499, frozenset({500}))
    assert [one.id for one in found.witnesses] == list(range(401, 501))


async def test_the_newest_witnesses_are_kept_fewer_of_a_direct_conversation(inbox: Inbox) -> None:
    for key in (ROOM, "user_ann"):
        await inbox.begin(key, 300, [witness(line) for line in range(1, 301)])

    assert [one.id for one in (await marks(inbox)).witnesses] == list(range(201, 301))
    assert [one.id for one in (await marks(inbox, "user_ann")).witnesses] == list(range(291, 301))


async def test_the_direct_conversations_with_the_oldest_lines_are_forgotten_and_stay_handled(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_sql, "MOST_DIRECT", 2)
    await inbox.begin(ROOM, 1)
    await inbox.begin_direct(5)
    for line, user in enumerate(["ann", "bea", "cid", "ann", "dan"], 10):
        await inbox.handled(f"user_{user}", [line + 50], line, [witness(line)])

    found = await inbox.load()

    assert set(found.conversations) == {ROOM, "user_ann", "user_dan"}
    assert found.base == 12  # cid's


async def test_the_groups_that_were_begun_first_are_forgotten(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_sql, "MOST_GROUPS", 2)
    for group in "abca":
        await inbox.begin(f"group_{group}", 1, [witness(1)])

    found = await inbox.load()

    assert set(found.conversations) == {"group_c", "group_a"}
    assert found.base is None


async def test_an_inbox_whose_file_is_closed_says_so(path: Path) -> None:
    async with opened(path) as box:
        inbox = Inbox(box.place, SystemClock())

    with pytest.raises(OutboxUnusable, match="closed"):
        inbox.handled(ROOM, [1], 0)
    with pytest.raises(OutboxUnusable, match="closed"):
        await inbox.load()


async def test_more_traffic_takes_no_more_room(
    inbox: Inbox, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_sql, "MOST_DIRECT", 20)

    async def hear(lines: range) -> int:
        written = [inbox.handled(ROOM, [], line, [witness(line)]) for line in lines]
        written += [inbox.handled(f"user_{line % 40}", [], line, [witness(line)]) for line in lines[::3]]
        await asyncio.gather(*written)
        pages: int = await outbox.place.read(lambda file: file.execute("PRAGMA page_count").fetchone()[0])
        return pages

    before = await hear(range(100_001, 102_000))
    after = await hear(range(102_000, 110_000))

    assert after <= before + 2
    assert len((await inbox.load()).conversations) == 1 + 20


@pytest.mark.of_a_file
async def test_on_a_full_disk_marks_wait_for_room(inbox: Inbox, outbox: Outbox) -> None:
    await inbox.begin(ROOM, 1)
    pages = await outbox.place.read(lambda file: file.execute("PRAGMA page_count").fetchone()[0])
    await outbox.place.read(lambda file: file.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    long = witness(5)._replace(fingerprint="x" * 3000)
    full = [asyncio.ensure_future(inbox.handled(f"group_{n}", [5], 1, [long])) for n in range(50)]
    done, _ = await asyncio.wait(full, timeout=0.2)

    await outbox.place.read(lambda file: file.execute("PRAGMA max_page_count = 100000").fetchone())
    await asyncio.wait_for(asyncio.gather(*full), WITHIN)

    assert not done
    assert (await marks(inbox, "group_49")).heard == {5}


class Model(RuleBasedStateMachine):
    """An inbox beside what it is to know, over restarts."""

    KEYS = st.sampled_from([ROOM, "group_other", "user_ann", "user_bea"])
    LINES = st.integers(0, 12)

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=IN_MEMORY)
        self.runner = QuickRunner()
        self.epoch, self.base = 1, None
        self.known: dict[str, tuple[int, set[int], dict[int, Witness], int]] = {}
        self.open()

    def open(self) -> None:
        folder = Path(self.folder.name)
        self.box = Outbox(KEPT.place(folder / folder.name, math.inf, InlineWriter))
        self.runner.run(self.box.open())
        self.inbox = Inbox(self.box.place, SystemClock())

    def close(self) -> None:
        self.runner.run(self.box.close())

    @rule(key=KEYS, low=LINES, lines=st.sets(LINES))
    def begin(self, key: str, low: int, lines: set[int]) -> None:
        seen = {line: witness(line) for line in lines}
        self.runner.run(self.inbox.begin(key, low, list(seen.values())))
        self.known[key] = (low, set(), seen, self.epoch)

    @rule(key=KEYS, low=LINES, heard=st.sets(LINES), lines=st.sets(LINES), done=st.booleans())
    def handled(self, key: str, low: int, heard: set[int], lines: set[int], *, done: bool) -> None:
        seen = {line: witness(line, done=done) for line in lines}

        async def mark() -> None:
            await self.inbox.handled(key, heard, low, list(seen.values()))

        self.runner.run(mark())
        before, above, witnesses, epoch = self.known.get(key, (low, set(), {}, self.epoch))
        low = max(low, before)
        self.known[key] = (low, {line for line in above | heard if line > low}, witnesses | seen, epoch)

    @rule()
    def new_epoch(self) -> None:
        self.epoch += 1
        assert self.runner.run(self.inbox.new_epoch(0)) == self.epoch

    @rule()
    def restart(self) -> None:
        self.close()
        self.open()

    @invariant()
    def knows(self) -> None:
        found = self.runner.run(self.inbox.load())
        assert found.epoch == self.epoch
        there = {
            key: (marks.low, set(marks.heard), {each.id: each for each in marks.witnesses}, marks.epoch)
            for key, marks in found.conversations.items()
        }
        most = {key: 100 if key.startswith("group_") else 10 for key in self.known}
        assert there == {
            key: (low, heard, {line: seen[line] for line in sorted(seen)[-most[key] :]}, epoch)
            for key, (low, heard, seen, epoch) in self.known.items()
        }
        for key, (low, heard, seen, epoch) in self.known.items():
            self.known[key] = (low, heard, {line: seen[line] for line in sorted(seen)[-most[key] :]}, epoch)

    def teardown(self) -> None:
        self.close()
        self.runner.close()
        self.folder.cleanup()


def test_the_inbox_knows_what_it_was_given_over_restarts() -> None:
    run_state_machine_as_test(
        Model, settings=settings(max_examples=20, stateful_step_count=15, deadline=None)
    )
