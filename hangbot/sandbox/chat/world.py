"""What the chat server knows: users, groups, memberships and messages.

PURE: no sockets, no clock of its own. Every change returns what is to be pushed over the
real-time connections (`Push`), or is refused by a `ChatRefusal`, whose reason the dialect
turns into a status and a body.

One counter numbers messages and actions alike, so gaps in a history are normal.
"""

from collections.abc import Callable, Iterable

from hangbot.sandbox.chat.memberships import Memberships
from hangbot.sandbox.chat.reactions import Reactions
from hangbot.sandbox.chat.rows import (
    Group,
    NewMessage,
    Push,
    Row,
    conversation_of,
    group_entity,
    invent_chat_message,
    message_row,
    user_entity,
)
from hangbot.sandbox.chat.rules import ChatRefusal, ChatRules
from hangbot.sandbox.chat.store import ChatStore
from hangbot.sandbox.chat.values import parse_int, text_of

__all__ = ["ChatWorld"]


class ChatWorld(Memberships):
    """Users, groups and messages of one chat server.

    Args:
        now_s: The clock, epoch seconds.
        rules: What this server does.
        history: Rows kept in each conversation; the oldest go.
    """

    def __init__(
        self, now_s: Callable[[], float], rules: ChatRules | None = None, *, history: int = 1000
    ) -> None:
        rules = rules or ChatRules()
        self.reactions = Reactions()
        store = ChatStore(
            now_s, history=history, sparse_ids=rules.sparse_ids, on_forget=self.reactions.forget
        )
        super().__init__(store, rules)
        self.read_up_to: dict[tuple[str, str], int] = {}
        """(uid, conversation) → the newest message id that this user has read."""
        self.delivered_up_to: dict[tuple[str, str], tuple[int, int]] = {}
        """Likewise the newest message id that was delivered, and when (epoch seconds)."""
        self.hidden_up_to: dict[tuple[str, str], int] = {}
        """Likewise the newest message id when the user hid the conversation."""

    def clear(self) -> None:
        """Forget everything, and count from 1 again."""
        super().clear()
        self.store.clear()
        self.reactions.clear()
        for marks in (self.read_up_to, self.delivered_up_to, self.hidden_up_to):
            marks.clear()

    def send(self, uid: str, message: NewMessage, *, admin: bool = False) -> tuple[Row, list[Push]]:
        """Store a message: its row, and what is pushed. An admin need not be a member.

        Raises:
            ChatRefusal: `send_group_unknown`, `send_not_member`, `receiver_unknown`,
                `parent_unknown`, `other_thread`.
        """
        sender = self.ensure_user(uid)
        muid = None if message.muid is None else text_of(message.muid, "muid")
        known = self.store.by_muid(muid) if self.rules.muid_once and muid is not None else None
        if known is not None and known["sender"] == uid:
            return known, []
        self._require_parent(message, uid)
        if message.receiver_type == "group":
            group = self.group(message.receiver, "send_group_unknown")
            if not admin:
                self.require_sender(group, uid)
            receiver, recipients = group_entity(group), tuple(group.members)
        else:
            if message.receiver not in self.users and not self.rules.invents_users:
                raise ChatRefusal("receiver_unknown", uid=message.receiver)
            receiver = user_entity(self.ensure_user(message.receiver))
            recipients = (message.receiver, uid) if message.receiver != uid else (uid,)
        number = self.store.next_id()
        row = message_row(number, message, sender, receiver, self.now)
        if self.rules.makes_muid:
            muid = text_of(row.setdefault("muid", f"srv-{number}"), "muid")
        if self.rules.invents_chat_message and message.category == "message":
            invent_chat_message(row, sender, message.media, muid=muid)
        self.store.keep(row)
        return row, [self.message_push(row, recipients, message.resource)]

    def _require_parent(self, message: NewMessage, uid: str) -> None:
        """Refuse a reply outside the conversation of what it answers.

        Raises:
            ChatRefusal: `parent_unknown`, `other_thread`.
        """
        if message.parent_id is None:
            return
        number = text_of(message.parent_id, "parentId")
        parent = self.store.by_id(parse_int(number, -1))
        if parent is None:
            raise ChatRefusal("parent_unknown", id=number)
        if parent["conversationId"] != conversation_of(uid, message.receiver, message.receiver_type):
            raise ChatRefusal("other_thread", id=number)

    def require_sender(self, group: Group, uid: str) -> None:
        """Let a member send, and anyone into a public group that joins its senders.

        Raises:
            ChatRefusal: `send_not_member`.
        """
        if uid in group.members:
            return
        if group.type == "public" and uid not in group.banned and self.rules.send_joins:
            self.add_member(group, uid)
            return
        raise ChatRefusal("send_not_member", guid=group.guid, uid=uid)

    def require_reader(self, guid: str, uid: str) -> None:
        """Let a member read, and anyone a public group where the rules say so.

        Raises:
            ChatRefusal: `read_group_unknown`, `read_not_member`.
        """
        group = self.group(guid, "read_group_unknown")
        if uid in group.members:
            return
        if group.type == "public" and uid not in group.banned and self.rules.public_reads:
            return
        raise ChatRefusal("read_not_member", guid=guid, uid=uid)

    def require_member(self, guid: str, uid: str) -> None:
        """Let only present members into a group's conversation.

        Raises:
            ChatRefusal: `look_outside`.
        """
        group = self.groups.get(guid)
        if group is None or uid not in group.members:
            raise ChatRefusal("look_outside", guid=guid, uid=uid)

    def require_participant(self, row: Row, uid: str) -> None:
        """Show a single message, and what hangs on it, only to present participants (measured).

        Raises:
            ChatRefusal: `look_outside`, `look_other`.
        """
        if row["receiverType"] == "group":
            self.require_member(row["receiver"], uid)
        elif uid not in (row["sender"], row["receiver"]):
            raise ChatRefusal("look_other", id=str(row["id"]))

    def message_push(self, row: Row, recipients: Iterable[str], resource: str | None) -> Push:
        """Return the frame that shows a message or an action, stamped with the sender's `resource`."""
        return Push(
            tuple(recipients),
            "message",
            row["sender"],
            row["receiver"],
            row["receiverType"],
            row,
            resource or "server",
        )

    def audience(self, row: Row) -> tuple[str, ...]:
        """Return the users whose sockets see what happens to a stored message."""
        if row["receiverType"] == "group":
            group = self.groups.get(row["receiver"])
            return tuple(group.members) if group else ()
        return tuple(dict.fromkeys((row["receiver"], row["sender"])))

    def conversations(self, uid: str) -> list[str]:
        """Conversations with rows that the user takes part in: direct ones first."""
        direct, grouped = [], []
        for conversation, row in self.store.newest_rows().items():
            if row.get("receiverType") == "user":
                if uid in (row["sender"], row["receiver"]):
                    direct.append(conversation)
            elif row.get("receiver") in self.groups and uid in self.groups[row["receiver"]].members:
                grouped.append(conversation)
        return direct + grouped
