"""Users, groups and memberships.

PURE. Every change returns what is to be pushed.
"""

from collections.abc import Callable

from hangbot.sandbox.chat.rows import (
    SYSTEM,
    Group,
    Member,
    Push,
    Row,
    User,
    action_row,
    group_conversation,
    group_entity,
    user_entity,
)
from hangbot.sandbox.chat.rules import ChatRefusal, ChatRules
from hangbot.sandbox.chat.store import ChatStore

__all__ = ["Memberships"]


class Memberships:
    """Users and groups; `hangbot.sandbox.chat.world.ChatWorld` adds the messages.

    Args:
        store: Numbers the actions that announce a change.
        rules: What this server does.
    """

    def __init__(self, store: ChatStore, rules: ChatRules) -> None:
        self.store = store
        self.rules = rules
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.blocked: set[tuple[str, str]] = set()
        """Pairs of uids: the first blocked the second."""

    def clear(self) -> None:
        """Forget all users, groups and blocks."""
        self.users.clear()
        self.groups.clear()
        self.blocked.clear()

    @property
    def now(self) -> int:
        """The clock, whole seconds."""
        return self.store.now

    def ensure_user(self, uid: str, name: str = "", role: str = "default") -> User:
        """Return the user, made if new."""
        user = self.users.get(uid)
        if user is None:
            user = self.users[uid] = User(uid, name or uid, role, self.now, seen_at=self.now)
        return user

    def rename(self, uid: str, name: str) -> None:
        """Take over a name; others see the new one only once its user joins (seen in public bots)."""
        self.ensure_user(uid).name = name

    def touch(self, uid: str, online: Callable[[str], bool]) -> None:
        """Note that a user is active; where memberships are visits, end those of absent users."""
        self.ensure_user(uid).seen_at = self.now
        if self.rules.visit_s is None:
            return
        oldest = self.now - self.rules.visit_s
        for group in self.groups.values():
            for member in tuple(group.members):
                if self.users[member].seen_at < oldest and not online(member):
                    del group.members[member]

    def user(self, uid: str) -> User:
        """Return the user.

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
        owner: str = SYSTEM,
    ) -> Group:
        """Return the group, made if new."""
        group = self.groups.get(guid)
        if group is None:
            group = self.groups[guid] = Group(guid, name or guid, kind, password, self.now, owner)
        return group

    def group(self, guid: str, reason: str = "group_unknown") -> Group:
        """Return the group.

        Raises:
            ChatRefusal: `reason`, that of the call that names it.
        """
        try:
            return self.groups[guid]
        except KeyError:
            raise ChatRefusal(reason, guid=guid) from None

    def others(self, group: Group, uid: str) -> tuple[str, ...]:
        """Return all members but one."""
        return tuple(member for member in group.members if member != uid)

    def block(self, uid: str, other: str) -> None:
        """Block a user, made if new (measured); what that user writes still arrives."""
        self.ensure_user(other)
        self.blocked.add((uid, other))

    def unblock(self, uid: str, other: str) -> None:
        """Unblock a user."""
        self.ensure_user(other)
        self.blocked.discard((uid, other))

    # -- membership --------------------------------------------------------------------

    def join(self, uid: str, guid: str, password: str | None = None) -> tuple[Row, list[Push]]:
        """Join a group: the action (empty when already in), and what the other members see.

        Raises:
            ChatRefusal: `join_group_unknown`, `join_private`, `join_password`,
                `join_no_password`, `join_banned`, `join_full`, `already_joined`.
        """
        group = self.group(guid, "join_group_unknown")
        user = self.ensure_user(uid)
        known = uid in group.members
        if known and not self.rules.join_twice:
            raise ChatRefusal("already_joined", uid=uid, guid=guid)
        if group.type == "private":  # measured: refused to its members, too
            raise ChatRefusal("join_private", guid=guid)
        if known:
            return {}, []
        if uid in group.banned:
            raise ChatRefusal("join_banned", guid=guid, uid=uid)
        if group.type == "password" and password != group.password:
            reason = "join_password" if password else "join_no_password"
            raise ChatRefusal(reason, guid=guid, parameter="password")
        if len(group.members) >= self.rules.group_limit:
            raise ChatRefusal("join_full", guid=guid)
        self.add_member(group, uid)
        target = group_entity(group, has_joined=True)
        return self._member_action("joined", user, user, group, target, self.others(group, uid))

    def add_member(self, group: Group, uid: str, scope: str = "participant") -> None:
        """Make a user a member without an action, as a send to a public group does."""
        self.ensure_user(uid)
        group.members[uid] = Member(scope, self.now)

    def leave(self, uid: str, guid: str) -> list[Push]:
        """Leave a group. Leaving one that `uid` is not in succeeds and is announced (measured).

        Raises:
            ChatRefusal: `group_unknown`, where the rules refuse to leave what does not exist.
        """
        if guid not in self.groups and self.rules.leaves_unknown:
            return []
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
        recipients = tuple(group.members)
        group.members.pop(uid, None)
        if "kicked" not in self.rules.announces:
            return self._gone("left", user, user, group)
        return self._gone("kicked", self.ensure_user(by), user, group, recipients)

    def ban(self, uid: str, guid: str, by: str = SYSTEM) -> list[Push]:
        """Take the membership away and refuse every later join.

        Raises:
            ChatRefusal: `group_unknown`, `user_unknown`.
        """
        group, user = self.group(guid), self.user(uid)
        recipients = tuple(group.members)
        group.members.pop(uid, None)
        group.banned.add(uid)
        return self._gone("banned", self.ensure_user(by), user, group, recipients)

    def unban(self, uid: str, guid: str, by: str = SYSTEM) -> list[Push]:
        """Let a banned user join again.

        Raises:
            ChatRefusal: `group_unknown`.
        """
        group = self.group(guid)
        group.banned.discard(uid)
        return self._changed_member("unbanned", uid, group, by)

    def add(self, uid: str, guid: str, scope: str = "participant", by: str = SYSTEM) -> list[Push]:
        """Make a user a member, as the admin API does.

        Raises:
            ChatRefusal: `group_unknown`, `user_unknown`, `already_joined`.
        """
        group = self.group(guid)
        self.user(uid)
        if uid in group.members:
            raise ChatRefusal("already_joined", uid=uid, guid=guid)
        self.add_member(group, uid, scope)
        return self._changed_member("added", uid, group, by)

    def set_scope(self, uid: str, guid: str, scope: str, by: str = SYSTEM) -> list[Push]:
        """Make a member a moderator, an admin, or a participant again.

        Raises:
            ChatRefusal: `group_unknown`, `send_not_member`.
        """
        group = self.group(guid)
        if uid not in group.members:
            raise ChatRefusal("send_not_member", uid=uid, guid=guid)
        group.members[uid].scope = scope
        return self._changed_member("scopeChanged", uid, group, by)

    def _changed_member(self, action: str, uid: str, group: Group, by: str) -> list[Push]:
        who, target = self.ensure_user(uid), group_entity(group)
        return self._member_action(action, self.ensure_user(by), who, group, target, tuple(group.members))[1]

    def _gone(
        self, action: str, by: User, who: User, group: Group, recipients: tuple[str, ...] | None = None
    ) -> list[Push]:
        # Measured: the group of a `left` action has no members, whatever it really has.
        target = group_entity(group, count=0)
        return self._member_action(action, by, who, group, target, recipients or tuple(group.members))[1]

    def _member_action(
        self, action: str, by: User, who: User, group: Group, target: Row, recipients: tuple[str, ...]
    ) -> tuple[Row, list[Push]]:
        """Announce a change of membership. It takes a number and stands in no history."""
        if action not in self.rules.announces:
            return {}, []
        of = {
            "conversationId": group_conversation(group.guid),
            "receiver": group.guid,
            "receiverType": "group",
        }
        row = action_row(
            self.store.next_id(),
            action,
            self.now,
            by=by,
            on=user_entity(who),
            on_type="user",
            target=target,
            of=of,
        )
        return row, [Push(recipients, "message", by.uid, group.guid, "group", row)]
