"""The position of a reader, whatever the server, the connection, the app and the process do."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hangbot.bot.conversation import Position, is_line
from hangbot.bot.events import ChatMessage
from hangbot.delivery.inbox import ConversationMarks, Witness
from tests.cases import cases

_WITNESSES_KEPT = 100


def row(number: int, text: str, *, sent_at: float = 1000.0, **more: Any) -> ChatMessage:  # noqa: ANN401  its fields
    """A row of the group, by Alice unless it is told otherwise."""
    return ChatMessage(number, **({"sender": "alice"} | more), receiver="room", text=text, sent_at=sent_at)


def position_behind(*rows: ChatMessage) -> Position:
    return Position.behind(rows)


@dataclass
class Disk:
    """What a process that dies leaves behind."""

    low: int = 0
    heard: set[int] = field(default_factory=set)
    witnesses: dict[int, Witness] = field(default_factory=dict)

    def begin(self, position: Position) -> None:
        self.low, self.heard = position.low, set()
        self.witnesses = {seen.id: seen for seen in position.witnesses}
        position.changes()

    def write(self, position: Position) -> None:
        if changes := position.changes():
            self.low = max(self.low, changes.low)
            self.heard = {number for number in self.heard | set(changes.heard) if number > self.low}
            self.witnesses |= {seen.id: seen for seen in changes.witnesses}
            kept = sorted(self.witnesses)[-_WITNESSES_KEPT:]
            self.witnesses = {number: self.witnesses[number] for number in kept}

    def read(self) -> Position:
        return Position(ConversationMarks(self.low, frozenset(self.heard), list(self.witnesses.values())))


# -- one thing at a time


def test_an_answer_of_an_earlier_life_does_not_pass_for_the_newest_row_while_lines_before_it_wait() -> None:
    lines, answer = [row(49, "one"), row(50, "two")], row(60, "the answer", sender="me")
    before = position_behind(row(48, "old"))
    disk = Disk()
    disk.begin(before)
    for line in lines:
        before.give(line)
    before.see(answer, done=True)
    disk.write(before)

    position = disk.read()

    assert (position.verified, position.newest) == (48, 48)  # so a list that ends with the answer shows more
    assert [line for line in (*lines, answer) if position.is_new(line)] == lines


def test_a_thousand_lines_that_wait_make_the_next_no_dearer() -> None:
    compared = list[int]()

    class Id(int):
        def __lt__(self, other: int) -> bool:
            compared.append(1)
            return int(self) < int(other)

    position = position_behind(row(0, "before"))
    lines = [row(Id(number), "waits") for number in range(1, 1001)]
    for line in lines:
        position.give(line)
    position.read(lines)
    compared.clear()

    lows = [position.low for _ in range(100)]
    position.handled(lines[0])

    assert [*lows, position.low] == [0] * 100 + [1]
    assert len(compared) < 1000


def test_the_first_start_is_behind_all_that_was_said() -> None:
    position = position_behind(row(3, "old"), row(7, "older"))

    assert (position.low, position.verified, position.newest) == (7, 7, 7)
    assert not position.is_new(row(3, "old"))
    assert position.is_new(row(8, "new"))


def test_a_small_id_of_a_later_time_shows_a_server_that_counts_anew_before_the_history_was_read() -> None:
    position = position_behind()
    for number in (1, 2, 3):
        position.see(row(number, f"line {number}", sent_at=1000.0 + number), done=True)
    position.see(row(9, "line 9", sent_at=1009.0), done=True)

    assert position.contradicts(row(4, "the fourth of another count", sent_at=1010.0))
    assert not position.contradicts(row(4, "late on its way", sent_at=1009.0))


def test_low_waits_for_the_history_and_for_each_line_that_the_app_has() -> None:
    position = position_behind(row(1, "old"))
    lines = [row(number, f"line {number}") for number in (2, 3, 4)]
    for line in lines:
        position.give(line)
    for line in lines[1:]:
        position.handled(line)

    assert position.low == 1, "two is not handled"
    position.handled(lines[0])
    assert position.low == 1, "nobody knows what lies between"
    position.read([row(1, "old"), *lines])
    assert position.low == 4


def test_a_line_is_given_once_however_often_and_in_whatever_order_it_comes() -> None:
    position = position_behind(row(1, "old"))
    later, earlier = row(5, "later"), row(3, "earlier")

    position.give(later)

    assert position.is_new(earlier)
    position.give(earlier)
    assert not any(position.is_new(line) for line in (later, earlier))
    position.handled(later)
    position.handled(earlier)
    assert not any(position.is_new(line) for line in (later, earlier))


def test_a_line_for_which_there_was_no_room_is_read_again() -> None:
    position = position_behind(row(1, "old"))
    given, left = row(2, "given"), row(3, "left")
    position.give(given)
    position.read([row(1, "old"), given])

    position.leave(left)
    position.handled(given)

    assert (position.low, position.verified, position.after) == (2, 2, 1)
    assert position.is_new(left)


def test_a_row_that_shows_up_behind_the_mark_is_given_once() -> None:
    position = position_behind(row(1, "old"), row(9, "verified"))
    late = row(5, "late")

    assert position.is_new(late)
    assert not position.contradicts(late)
    position.give(late)
    position.handled(late)
    assert not position.is_new(late)


@cases(
    "shown",
    ("the same row", row(9, "nine")),
    ("its edited form", row(9, "other words", raw={"editedAt": 1})),
    ("a small id, sent before", row(2, "late", sent_at=1000.0)),
    ("what comes next", row(10, "new", sent_at=1060.0)),
)
def test_what_may_come_late_shows_nothing_about_the_ids(shown: ChatMessage) -> None:
    assert not position_behind(row(1, "one"), row(9, "nine")).contradicts(shown)


@cases(
    "shown",
    ("another row under its id", row(9, "other words")),
    ("another author", row(9, "nine", sender="bob")),
    ("a small id, sent later", row(2, "new", sent_at=1060.0)),
)
def test_a_row_shows_that_ids_started_again(shown: ChatMessage) -> None:
    assert position_behind(row(1, "one"), row(9, "nine")).contradicts(shown)


def test_a_line_that_is_edited_while_the_app_has_it_is_not_handled_by_that() -> None:
    position, disk = position_behind(row(1, "old")), Disk()
    disk.begin(position)
    line = row(2, "a line")
    position.give(line)

    position.see(row(2, "in other words", raw={"editedAt": 1}), done=True)
    disk.write(position)

    assert disk.read().is_new(line)


def test_a_line_of_before_ids_started_again_marks_nothing() -> None:
    position = position_behind(row(1, "one"), row(9, "nine"))
    old = row(10, "ten")
    position.give(old)

    position.begin_again([row(number, f"new {number}", sent_at=2000.0) for number in range(1, 12)])

    assert not position.handled(old)
    assert (position.low, position.is_new(row(10, "new 10", sent_at=2000.0))) == (0, True)


def test_rows_of_another_count_that_were_pushed_already_hide_none_before_them() -> None:
    position = position_behind(row(3, "three"), row(4, "four", sent_at=1004.0))
    pushed = row(7, "of another count, too", sent_at=1035.0)
    position.give(pushed)
    position.handled(pushed)
    missed = [row(2, "of another count", sent_at=1010.0), row(5, "as well", sent_at=1014.0)]

    position.begin_again([*missed, pushed])

    assert [position.is_new(line) for line in (*missed, pushed)] == [True, True, False]


def test_a_page_with_a_row_that_was_pushed_does_not_lead_on_past_rows_of_another_count() -> None:
    position = position_behind(row(4, "four", sent_at=1004.0))
    own = row(7, "own words", sender="bot", sent_at=1035.0)
    position.see(own, done=True)

    assert not position.leads([own])
    assert position.begins_anew([row(2, "of another count", sent_at=1010.0)], [own])


def test_where_a_server_kept_a_part_what_ends_with_a_handled_row_is_not_heard_again() -> None:
    known = [row(number, f"line {number}", sent_at=1000.0 + number) for number in range(8, 12)]
    position = position_behind(*known)
    kept = [row(5, "no longer remembered", sent_at=1005.0), *known[:2]]
    since = row(10, "of another count", sent_at=1060.0)

    assert position.kept([*kept, since]) == 9
    position.begin_again([*kept, since])

    assert [position.is_new(line) for line in (*kept, since)] == [False, False, False, True]


def test_what_another_conversation_shows_counts_for_a_row_that_would_pass_for_a_handled_one() -> None:
    elsewhere = position_behind(row(28, "in the group", sent_at=1028.0))
    position = Position(ConversationMarks(30), elsewhere.overtaken)

    assert position.contradicts(row(3, "of another count", sent_at=1060.0))
    assert not position.contradicts(row(3, "long ago", sent_at=903.0))
    assert not position.contradicts(row(31, "new", sent_at=1060.0))


def test_an_old_position_shows_nothing_about_others() -> None:
    old = Position(ConversationMarks(9, witnesses=position_behind(row(9, "nine")).witnesses), old=True)

    assert not old.overtaken(3, 2000.0)


def test_what_is_handled_is_known_to_the_next_process() -> None:
    position, disk = position_behind(row(1, "old")), Disk()
    disk.begin(position)
    lines = [row(number, f"line {number}") for number in (2, 3, 4)]
    for line in lines:
        position.give(line)

    position.handled(lines[1])
    disk.write(position)

    assert [disk.read().is_new(line) for line in lines] == [True, False, True]
    assert position.changes() is None, "nothing is written twice"


def test_a_line_that_never_ends_costs_no_memory_for_those_behind_it() -> None:
    position = position_behind(row(1, "old"))
    stuck = row(2, "stuck")
    position.give(stuck)
    for number in range(3, 5_000):
        line = row(number, f"line {number}")
        position.give(line)
        position.read([line])
        position.handled(line)
        position.changes()

    assert position.low == 1
    position.handled(stuck)
    assert position.low == 4_999
    for number in range(5_000, 7_100):
        line = row(number, f"line {number}")
        position.give(line)
        position.read([line])
        position.handled(line)
    assert len(position.witnesses) <= 1_001


# -- whatever happens, in whatever order


class AnyInterleaving(RuleBasedStateMachine):
    """Pushes, pages, doubles, other orders, losses, crashes, a full app, and servers that count anew."""

    @initialize()
    def begin(self) -> None:
        self.rows: list[ChatMessage] = [row(1, "before it began")]
        self.copy = list(self.rows)
        self.last_id, self.now, self.said = 1, 1001, 0
        self.frames: list[ChatMessage] = []
        self.open: list[ChatMessage] = []
        self.handled = Counter[str | None]()
        self.due: dict[str | None, ChatMessage] = {}
        """What others said in today's numbering, and is retained."""
        self.room = True
        self.noticed = True
        """Whether the position is one of today's numbering."""
        self.disk, self.position = Disk(), Position.behind(self.rows)
        self.disk.begin(self.position)

    # -- the server

    @rule(step=st.integers(1, 3), kind=st.sampled_from(["line", "line", "own", "action"]))
    def say(self, step: int, kind: str) -> None:
        self.last_id += step
        self.said += 1
        said = row(self.last_id, f"said {self.said}", sent_at=float(self.now))
        if kind != "line":
            said = replace(said, sender="bot", category="action" if kind == "action" else "message")
        else:
            self.due[said.text] = said
        self.rows.append(said)
        self.frames.append(said)

    @rule()
    def second(self) -> None:
        self.now += 1

    @rule()
    def take_a_copy(self) -> None:
        self.copy = list(self.rows)
        self.now += 1

    @rule(kept=st.booleans(), looks=st.booleans())
    def count_anew(self, *, kept: bool, looks: bool) -> None:
        self.now += 1
        self.rows = list(self.copy) if kept else []
        self.last_id = max((one.id for one in self.rows), default=0)
        self.due.clear()
        self.frames.clear()
        self.noticed = False
        if looks:  # a server that starts again ends its connections, and a new one begins with the history
            self.look()  # if that is to be had
        self.copy = list(self.rows)

    @rule()
    def forget_the_oldest(self) -> None:
        if len(self.rows) > 4:
            for gone in self.rows[:2]:
                self.due.pop(gone.text, None)
            self.rows = self.rows[2:]

    # -- the connection

    @precondition(lambda self: self.frames)
    @rule(data=st.data(), deed=st.sampled_from(["next", "next", "any", "double", "lose"]))
    def frame(self, data: st.DataObject, deed: str) -> None:
        which = data.draw(st.integers(0, len(self.frames) - 1)) if deed == "any" else 0
        pushed = self.frames[which]
        if deed != "double":
            del self.frames[which]
        if deed == "lose":
            return
        if self.position.contradicts(pushed):
            self.look()
        elif not self._is_line(pushed):
            self.position.see(pushed, done=True)
        elif self.position.is_new(pushed) and not self._offer(pushed):
            self.position.leave(pushed)

    @rule()
    def look(self) -> None:
        while True:
            after = [one for one in self.rows if one.id > self.position.after]
            page = after[:5]
            if not self.position.leads(page):
                held = [one for one in self.rows if one.id <= self.position.verified][-5:]
                if self.position.begins_anew(held, page):
                    if not self.rows:
                        return
                    self.noticed = True
                    self.position.begin_again(self.rows)
                    self.disk.begin(self.position)
                    continue
            for number, one in enumerate(page):
                if self._is_new(one) and not self._offer(one):
                    self.position.read(page[:number])
                    self.disk.write(self.position)
                    return
            before = self.position.verified
            there = {one.id for one in self.rows}
            self.noticed = self.noticed or all(seen.id in there for seen in self.position.witnesses)
            self.position.read(page)
            self.disk.write(self.position)
            if len(page) < 5 or self.position.verified == before:
                return

    def _is_new(self, one: ChatMessage) -> bool:
        return self._is_line(one) and self.position.is_new(one)

    @staticmethod
    def _is_line(one: ChatMessage) -> bool:
        return is_line(one) and one.sender != "bot"

    # -- the app and the process

    @rule()
    def room_comes_or_goes(self) -> None:
        self.room = not self.room

    def _offer(self, line: ChatMessage) -> bool:
        if self.room:
            self.position.give(line)
            self.open.append(line)
        return self.room

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def handle(self, data: st.DataObject) -> None:
        line = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        self.handled[line.text] += 1
        self.position.handled(line)
        self.disk.write(self.position)

    @rule()
    def crash(self) -> None:
        self.open.clear()
        self.frames.clear()
        self.position = self.disk.read()

    # -- what holds

    @invariant()
    def low_passes_no_line_that_is_not_handled(self) -> None:
        if hasattr(self, "due") and self.noticed:
            passed = [line for line in self.due.values() if line.id <= self.position.low]
            assert all(self.handled[line.text] for line in passed)

    @invariant()
    def nothing_is_handled_twice(self) -> None:
        if hasattr(self, "due"):
            assert not self.handled or max(self.handled.values()) == 1

    def teardown(self) -> None:
        if hasattr(self, "due"):
            self.room = True
            self.look()
            for line in self.open:
                self.handled[line.text] += 1
                self.position.handled(line)
            assert all(self.handled[text] == 1 for text in self.due), "each line is handled, once"
            self.nothing_is_handled_twice()


class AnyInterleavingAtLength(AnyInterleaving):
    """The same for longer."""


TestAnyInterleaving = AnyInterleaving.TestCase
TestAnyInterleaving.settings = settings(deadline=None, max_examples=25, stateful_step_count=40)
TestAnyInterleavingAtLength = pytest.mark.slow(AnyInterleavingAtLength.TestCase)
TestAnyInterleavingAtLength.settings = settings(deadline=None, max_examples=200, stateful_step_count=40)
