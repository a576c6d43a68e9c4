"""What delivery says while it works: one frozen record a step, for every listener alike."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from hangbot.clock import Boot
from hangbot.delivery.message import Outgoing
from hangbot.journal import Journal

__all__ = [
    "BY_HAND",
    "EXPIRED_AT_START",
    "ManualChange",
    "MessageTiming",
    "Notify",
    "OutboxRow",
    "Queue",
    "Settlement",
    "State",
    "Step",
    "StepKind",
    "kept_in",
    "notify_all",
]

logger = logging.getLogger(__name__)

_FAILED: Final = {"action": "listener_failed"}

State = Literal["queued", "sending", "delivered", "failed", "uncertain", "expired", "dropped"]
StepKind = Literal["accepted", "attempt", "answer", "waiting", "asked", "settled"]


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a message ended.

    Attributes:
        state: ``delivered``, ``failed``, ``uncertain``, ``expired`` or ``dropped``.
        tier: 1 acknowledged on the first attempt; 2 after a retry or found when asked;
            3 given up; ``None`` where none applies.
        attempts: How often it was sent; asking is no attempt.
        reason: Why it did not arrive; empty when delivered.
        remedy: What the operator can do about it.
    """

    state: State
    tier: int | None
    attempts: int
    reason: str = ""
    remedy: str = ""


EXPIRED_AT_START: Final = Settlement(
    "expired",
    None,
    0,
    "older than its time to live when the bot began to deliver",
    "Say it anew if it is still wanted.",
)
"""How what is found too old at a start ends: all of it is one line of the log."""


ManualChange = Literal["retry", "drop"]
BY_HAND: Final[Mapping[ManualChange, str]] = MappingProxyType(
    {"retry": "queued again by hand", "drop": "dropped by hand"}
)
"""What an operator does to a message that did not arrive: how its history says it."""


class Step(NamedTuple):
    """One step in the life of a message or a room action.

    Attributes:
        id: The stable id of the message.
        at: Seconds since the epoch.
        kind: What happened.
        attempt: The number of the attempt it belongs to, 0 before the first.
        detail: In words: the error's kind and message, what was found, the tier.
        seconds: How long it took, or is about to take (``waiting``).
        settlement: With ``settled``: how it ended.
        cause: With ``answer``, ``asked`` and ``waiting``: the name of the error that it comes from, where
            there was one. It is not kept on disk.
    """

    id: str
    at: float
    kind: StepKind
    attempt: int = 0
    detail: str = ""
    seconds: float = 0.0
    settlement: Settlement | None = None
    cause: str = ""


Notify = Callable[[Step], None]
"""A listener."""


def notify_all(*listeners: Notify) -> Notify:
    """Return a listener that gives each step to all of these; one that fails ends no delivery."""

    def notify(step: Step) -> None:
        for listener in listeners:
            try:
                listener(step)
            except Exception:
                logger.exception("[ERROR] a listener failed on a step of %s", step.id, extra=_FAILED)

    return notify


def kept_in(journal: Journal) -> Notify:
    """Return a listener that keeps each step in a journal."""

    def notify(step: Step) -> None:
        end = step.settlement
        state, tier = (end.state, end.tier) if end else (None, None)
        journal.add("step", step.id, step.kind, step.attempt, step.detail, state, tier)

    return notify


class OutboxRow(NamedTuple):
    """A message in the outbox; times are seconds since the epoch.

    Attributes:
        message: What is to be sent.
        state: Where it stands.
        tier: As in `Settlement`.
        attempts: How often it was sent.
        in_doubt: Whether an attempt may have arrived whose answer is not known.
        accepted_at: When it was written.
        settled_at: When it ended, or ``None``.
        reason: Why it did not arrive.
        remedy: What to do about it.
        group_id: The id of the text that it is a part of; its own where it is the first or only one.
        expires_at: When it is not worth sending any more, or ``None``.
        room: The room that it belongs to; empty: to the bot, wherever it is (a direct message).
        boot: When it was written, by the machine's own count, where that is known.
    """

    message: Outgoing
    state: State
    tier: int | None
    attempts: int
    in_doubt: bool
    accepted_at: float
    settled_at: float | None
    reason: str = ""
    remedy: str = ""
    group_id: str = ""
    expires_at: float | None = None
    room: str = ""
    boot: Boot | None = None

    @property
    def end(self) -> Settlement | None:
        """How it ended, or ``None`` while it waits or is on its way."""
        if self.state in {"queued", "sending"}:
            return None
        return Settlement(self.state, self.tier, self.attempts, self.reason, self.remedy)


class MessageTiming(NamedTuple):
    """The few figures of a message that a summary needs; times are seconds since the epoch."""

    state: State
    tier: int | None
    accepted_at: float
    settled_at: float | None


class Queue(NamedTuple):
    """What waits or is on its way.

    Attributes:
        waiting: How many messages.
        oldest_at: When the oldest of them was accepted (seconds since the epoch), or ``None``.
    """

    waiting: int
    oldest_at: float | None
