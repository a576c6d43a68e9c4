"""What a chat server's world may refuse, and where the servers differ in what they do.

PURE.
"""

from dataclasses import dataclass

__all__ = ["ChatRefusal", "ChatRules"]


class ChatRefusal(Exception):
    """The world refuses what was asked.

    Attributes:
        reason: A key of the dialects' tables.
        details: What the answer names: `guid`, `uid`, `id`, `parameter` …
    """

    def __init__(self, reason: str, **details: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


@dataclass(frozen=True, slots=True)
class ChatRules:
    """Where the servers differ in what they do, not in how they word it."""

    send_joins: bool = True
    """A send to a public group joins its sender; otherwise it is refused."""
    public_reads: bool = True
    """A public group's history can be read without joining."""
    join_twice: bool = True
    """A second join answers like the first; otherwise it is refused."""
    invents_users: bool = True
    """A direct message to an unknown uid creates that user."""
    invents_chat_message: bool = True
    """A text without `metadata.chatMessage` is given a minimal one."""
    makes_muid: bool = False
    """A message without a muid is given one (the successor server SREChat does that)."""
    sparse_ids: bool = False
    """Ids are 41 bits of milliseconds and 12 bits of counter (SREChat)."""
    muid_once: bool = False
    """A second message of a user with the same muid is the first one again. OpenChat makes two
    (measured); whether CometChat does is unknown."""
    announces: frozenset[str] = frozenset({"joined", "left"})
    """Which changes of membership the members see. OpenChat shows a kick as if the user had left,
    and nothing of a ban, its end, a new scope or an adding (measured)."""
    leaves_unknown: bool = True
    """Leaving a group that does not exist succeeds; otherwise it is refused."""
    group_limit: int = 1000
    visit_s: float | None = None
    """How long a membership outlives its user's last call or socket (OpenChat's setting
    PUBLIC_GROUP_JOINS_AS_VISITS, 30 minutes; off in its defaults, unknown for Hang.fm)."""
