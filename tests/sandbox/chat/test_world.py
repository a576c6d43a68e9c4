"""The chat world against a model of it."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hangbot.sandbox.chat.changes import delete_message, edit_message
from hangbot.sandbox.chat.paging import cut_page, history_query
from hangbot.sandbox.chat.rows import Json, NewMessage
from hangbot.sandbox.chat.rules import ChatRefusal, ChatRules
from hangbot.sandbox.chat.world import ChatWorld

UIDS = ("ann", "ben", "cas")
HISTORY = 12
WHO = st.sampled_from(UIDS)


class ChatWorldModel(RuleBasedStateMachine):
    """Three users, one group that must be joined, and a history of twelve rows."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 1_000_000
        self.world = ChatWorld(lambda: self.seconds, ChatRules(send_joins=False), history=HISTORY)
        self.world.ensure_group("room")
        self.members: set[str] = set()
        self.banned: set[str] = set()
        self.rows: list[dict[str, Any]] = []
        self.given_away: list[tuple[Json, str]] = []

    def hand_out(self, row: Json) -> None:
        """Remember a row as somebody got it: it may never change under him."""
        self.given_away.append((row, repr(row)))

    @rule(uid=WHO)
    def join(self, uid: str) -> None:
        if uid in self.banned:
            with pytest.raises(ChatRefusal, match="join_banned"):
                self.world.join(uid, "room")
            return
        _, pushes = self.world.join(uid, "room")
        told = {name for push in pushes for name in push.to}
        assert told == (self.members - {uid} if uid not in self.members else set())
        self.members.add(uid)

    @rule(uid=WHO)
    def leave(self, uid: str) -> None:
        self.world.leave(uid, "room")
        self.members.discard(uid)

    @rule(uid=WHO)
    def ban(self, uid: str) -> None:
        self.world.ensure_user(uid)
        self.world.ban(uid, "room")
        self.members.discard(uid)
        self.banned.add(uid)

    @rule(uid=WHO)
    def unban(self, uid: str) -> None:
        self.world.unban(uid, "room")
        self.banned.discard(uid)

    @rule(seconds=st.integers(0, 3))
    def wait(self, seconds: int) -> None:
        self.seconds += seconds

    @rule(uid=WHO, muid=st.sampled_from(["a", "b", "c", None]))
    def send(self, uid: str, muid: str | None) -> None:
        draft = NewMessage("room", "group", data={"text": "hi"}, muid=muid)
        if uid not in self.members:
            with pytest.raises(ChatRefusal, match="send_not_member"):
                self.world.send(uid, draft)
            return
        row, pushes = self.world.send(uid, draft)
        assert set(pushes[0].to) == self.members
        self.hand_out(row)
        self.rows.append({"id": row["id"], "by": uid, "muid": muid, "deleted": False, "action": False})

    def _change(self, uid: str, number: int, *, delete: bool) -> None:
        row = self.world.store.by_id(number)
        known = next(kept for kept in self.rows if kept["id"] == number)
        assert row is not None
        if uid != known["by"] or known["deleted"] or known["action"]:
            with pytest.raises(ChatRefusal, match=r"_other|message_deleted"):
                edit_message(self.world, uid, row, {"text": "new"}, None)
            return
        if delete:
            action, _ = delete_message(self.world, uid, row, None)
        else:
            action, _ = edit_message(self.world, uid, row, {"text": "new"}, None)
        known["deleted"] = known["deleted"] or delete
        self.hand_out(action)
        self.rows.append({"id": action["id"], "by": uid, "muid": None, "deleted": False, "action": True})

    @rule(uid=WHO, which=st.integers(0, 30), delete=st.booleans())
    def change(self, uid: str, which: int, *, delete: bool) -> None:
        kept = self.rows[-HISTORY:]
        if kept:
            self._change(uid, kept[which % len(kept)]["id"], delete=delete)

    @invariant()
    def members_are_as_modelled(self) -> None:
        assert set(self.world.groups["room"].members) == self.members

    @invariant()
    def paging_through_the_history_shows_what_is_kept_and_not_deleted(self) -> None:
        seen, last = [], 0
        while True:
            query = history_query({"affix": "append", "id": str(last), "limit": "3"}, documented=False)
            page = cut_page(self.world.store.rows("group_room"), query)
            seen += [row["id"] for row in page.rows]
            last = page.meta["cursor"]["id"]
            if not last:
                break
        assert seen == [kept["id"] for kept in self.rows[-HISTORY:] if not kept["deleted"]]

    @invariant()
    def a_muid_finds_the_newest_kept_message(self) -> None:
        for muid in "abc":
            newest = [kept["id"] for kept in self.rows[-HISTORY:] if kept["muid"] == muid]
            found = self.world.store.by_muid(muid)
            assert (found["id"] if found else None) == (newest[-1] if newest else None)

    @invariant()
    def nobodys_row_changed_under_him(self) -> None:
        assert all(repr(row) == before for row, before in self.given_away)


TestChatWorldModel = ChatWorldModel.TestCase
TestChatWorldModel.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_memory_stays_flat_however_much_is_sent() -> None:
    world = ChatWorld(lambda: 1_000_000.0, history=100)
    world.ensure_group("room")

    for number in range(3_000):
        world.send("ann", NewMessage("room", "group", data={"text": "hi"}, muid=f"m-{number}"))

    kept = world.store.messages()
    assert len(kept) == 100
    assert kept[-1]["muid"] == "m-2999"
    assert world.store.by_muid("m-2899") is None
