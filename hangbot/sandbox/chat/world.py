"""What the chat server knows: users, groups, memberships and messages.

PURE: no sockets, no clock of its own. Every change returns what is to be pushed over the
real-time connections (`Push`), and refuses with `ChatRefusal`, whose reason the dialect
turns into a status and a body.

One counter numbers messages and actions alike, so gaps in a history are normal. Reactions
have a counter of their own (measured on an OpenChat build).
"""

from collections.abc import Callable, Iterable

from hangbot.sandbox.chat.rows import (
    SYSTEM,
    Draft,
    Group,
    Member,
    Push,
    Row,
    User,
    action_row,
    group_conversation,
    group_entity,
    invent_chat_message,
    message_row,
    user_entity,
)
from hangbot.sandbox.chat.rules import ChatRefusal, ChatRules
from hangbot.sandbox.chat.store import ChatStore

__all__ = ["ChatRefusal", "ChatWorld"]


class ChatWorld(ChatStore):
    """Users, groups and messages of one chat server.

    Args:
        now_s: The clock, epoch seconds.
        rules: What this server does.
        history: Rows kept in each conversation; the oldest go.
    """

    def __init__(
        self, now_s: Callable[[], float], rules: ChatRules | None = None, *, history: int = 1000
    ) -> None:
        self.rules = rules or ChatRules()
        super().__init__(now_s, history=history, sparse_ids=self.rules.sparse_ids)
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.read_up_to: dict[tuple[str, str], int] = {}
        """(uid, conversation) → the newest message id that user has read."""

    def ensure_user(self, uid: str, name: str = "", role: str = "default") -> User:
        """Give the user, made if new."""
        user = self.users.get(uid)
        if user is None:
            user = self.users[uid] = User(uid, name or uid, role, self.now, seen_at=self.now)
        return user

    def rename(self, uid: str, name: str) -> None:
        """Take over a name; others see it only when its user joins (seen in public bots)."""
        self.ensure_user(uid).name = name

    def touch(self, uid: str, online: Callable[[str], bool]) -> None:
        """Note that a user is there; where memberships are visits, end those of the absent."""
        self.ensure_user(uid).seen_at = self.now
        if self.rules.visit_s is None:
            return
        oldest = self.now - self.rules.visit_s
        for group in self.groups.values():
            for member in tuple(group.members):
                if self.users[member].seen_at < oldest and not online(member):
                    del group.members[member]

    def user(self, uid: str) -> User:
        """Give the user.

        Raises:
            ChatRefusal: `user_unknown`.
        """
        try:
            return self.users[uid]
        except KeyError:
            raise ChatRefusal("user_unknown", uid=uid) from None

    def ensure_group(
        self,
        guid: str,
        name: str = "",
        *,
        kind: str = "public",
        password: str | None = None,
    ) -> Group:
        """Give the group, made if new."""
        group = self.groups.get(guid)
        if group is None:
            group = self.groups[guid] = Group(guid, name or guid, kind, password, self.now)
        return group

    def group(self, guid: str, reason: str = "group_unknown") -> Group:
        """Give the group.

        Raises:
            ChatRefusal: `reason`, which says in which call it was missed.
        """
        try:
            return self.groups[guid]
        except KeyError:
            raise ChatRefusal(reason, guid=guid) from None

    def others(self, group: Group, uid: str) -> tuple[str, ...]:
        """Every member but one."""
        return tuple(member for member in group.members if member != uid)

    # -- membership --------------------------------------------------------------------

    def join(self, uid: str, guid: str, password: str | None = None) -> tuple[Row, list[Push]]:
        """Join a group: the action (empty when already in), and what the other members see.

        Raises:
            ChatRefusal: `join_group_unknown`, `join_private`, `join_password`, `join_banned`,
                `join_full`, `already_joined`.
        """
        group = self.group(guid, "join_group_unknown")
        user = self.ensure_user(uid)
        if uid in group.members:
            if not self.rules.join_twice:
                raise ChatRefusal("already_joined", uid=uid, guid=guid)
            return {}, []
        if uid in group.banned:
            raise ChatRefusal("join_banned", guid=guid, uid=uid)
        if group.type == "private":
            raise ChatRefusal("join_private", guid=guid)
        if group.type == "password" and password != group.password:
            raise ChatRefusal("join_password", guid=guid, parameter="password")
        if len(group.members) >= self.rules.group_limit:
            raise ChatRefusal("join_full", guid=guid)
        self.add_member(group, uid)
        target = group_entity(group, has_joined=True)
        return self._member_action("joined", user, user, group, target, self.others(group, uid))

    def add_member(self, group: Group, uid: str, scope: str = "participant") -> None:
        """Make somebody a member without an action, as a send to a public group does."""
        self.ensure_user(uid)
        group.members[uid] = Member(scope, self.now)

    def leave(self, uid: str, guid: str) -> list[Push]:
        """Leave a group; also one that `uid` is not in (measured: it succeeds, and is announced).

        Raises:
            ChatRefusal: `group_unknown`.
        """
        group = self.group(guid)
        user = self.ensure_user(uid)
        group.members.pop(uid, None)
        return self._gone("left", user, user, group)

    def kick(self, uid: str, guid: str, by: str = SYSTEM) -> list[Push]:
        """Take the membership away. The user may join again.

        Raises:
            ChatRefusal: `group_unknown`, `user_unknown`.
        """
        group, user = self.group(guid), self.user(uid)
        told = tuple(group.members)
        group.members.pop(uid, None)
        return self._gone("kicked", self.ensure_user(by), user, group, told)

    def ban(self, uid: str, guid: str, by: str = SYSTEM) -> list[Push]:
        """Take the membership away and refuse every later join.

        Raises:
            ChatRefusal: `group_unknown`, `user_unknown`.
        """
        group, user = self.group(guid), self.user(uid)
        told = tuple(group.members)
        group.members.pop(uid, None)
        group.banned.add(uid)
        return self._gone("banned", self.ensure_user(by), user, group, told)

    def unban(self, uid: str, guid: str) -> None:
        """Let somebody join again."""
        self.group(guid).banned.discard(uid)

    def _gone(
        self, action: str, by: User, who: User, group: Group, told: tuple[str, ...] | None = None
    ) -> list[Push]:
        # Measured: the group of a `left` action has no members, whatever it really has.
        target = group_entity(group, count=0)
        return self._member_action(action, by, who, group, target, told or tuple(group.members))[1]

    def _member_action(
        self, action: str, by: User, who: User, group: Group, target: Row, told: tuple[str, ...]
    ) -> tuple[Row, list[Push]]:
        """Announce who came or went. It takes a number and stands in no history."""
        of = {
            "conversationId": group_conversation(group.guid),
            "receiver": group.guid,
            "receiverType": "group",
        }
        row = action_row(
            self.next_id(), action, self.now, by=by, on=user_entity(who), on_type="user", target=target, of=of
        )
        return row, [Push(told, "message", by.uid, group.guid, "group", row)]

    # -- messages ----------------------------------------------------------------------

    def send(self, uid: str, draft: Draft, *, admin: bool = False) -> tuple[Row, list[Push]]:
        """Store a message: the row, and who is to see it. An admin need not be a member.

        Raises:
            ChatRefusal: `send_group_unknown`, `send_not_member`, `receiver_unknown`.
        """
        sender = self.ensure_user(uid)
        if draft.receiver_type == "group":
            group = self.group(draft.receiver, "send_group_unknown")
            if not admin:
                self.require_sender(group, uid)
            receiver, told = group_entity(group), tuple(group.members)
        else:
            if draft.receiver not in self.users and not self.rules.invents_users:
                raise ChatRefusal("receiver_unknown", uid=draft.receiver)
            receiver = user_entity(self.ensure_user(draft.receiver))
            told = (draft.receiver, uid) if draft.receiver != uid else (uid,)
        number = self.next_id()
        row = message_row(number, draft, sender, receiver, self.now)
        if self.rules.makes_muid:
            row.setdefault("muid", f"srv-{number}")
        if self.rules.invents_chat_message and draft.category == "message":
            invent_chat_message(row, sender)
        self.keep(row)
        return row, [self.message_push(row, told, draft.resource)]

    def require_sender(self, group: Group, uid: str) -> None:
        """Let a member send, and whom a public group lets in by sending.

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
        """Let a member read, and everybody in a public group where the rules say so.

        Raises:
            ChatRefusal: `read_group_unknown`, `read_not_member`.
        """
        group = self.group(guid, "read_group_unknown")
        if uid in group.members:
            return
        if group.type == "public" and uid not in group.banned and self.rules.public_reads:
            return
        raise ChatRefusal("read_not_member", guid=guid, uid=uid)

    def message_push(self, row: Row, told: Iterable[str], resource: str | None) -> Push:
        """Tell `told` about a message or an action, stamped with the sender's `resource`."""
        return Push(
            tuple(told),
            "message",
            row["sender"],
            row["receiver"],
            row["receiverType"],
            row,
            resource or "server",
        )

    def audience(self, row: Row) -> tuple[str, ...]:
        """Whose sockets see what happens to a stored message."""
        if row["receiverType"] == "group":
            group = self.groups.get(row["receiver"])
            return tuple(group.members) if group else ()
        return tuple(dict.fromkeys((row["receiver"], row["sender"])))

    def conversations(self, uid: str) -> list[str]:
        """Conversations with rows that the user takes part in: direct ones first."""
        direct, grouped = [], []
        for conversation, rows in self._rows.items():
            if not rows:
                continue
            row = rows[-1]
            if row.get("receiverType") == "user":
                if uid in (row["sender"], row["receiver"]):
                    direct.append(conversation)
            elif row.get("receiver") in self.groups and uid in self.groups[row["receiver"]].members:
                grouped.append(conversation)
        return direct + grouped
