"""What a fleet asks of its cluster: records under subjects, stored where the newest is as expected.

Two streams make a fleet. The *register* keeps the newest record of each subject, for as long as it says
(``lease.ROOM``, ``worker.NAME``, ``folder.NAME``, ``wish.ROOM``); the *records* keep all of each room's
(``ROOM``), until they are written anew and forgotten.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from hangbot.errors import OutboxUnusable
from hangbot.exit_codes import CANNOT_TELL

__all__ = [
    "AnswerMissing",
    "AnswerOwner",
    "Cluster",
    "ClusterAway",
    "ClusterFull",
    "Entry",
    "Outdated",
    "Stream",
]


class ClusterAway(OutboxUnusable):
    """The cluster does not answer, or has no majority: nothing was asked of it."""

    remedy = (
        "`hangbot fleet check` says what is wrong with the NATS servers; a running worker goes on by itself."
    )
    retryable = True
    exit_code = CANNOT_TELL


class ClusterFull(ClusterAway):
    """The cluster answers, and takes nothing more."""

    remedy = (
        "Make room on the disks of the NATS servers, or raise their max_file_store; a running worker goes on"
        " by itself."
    )


class AnswerMissing(ClusterAway):
    """It was asked, and no answer came: what was to be stored may be stored, now or later."""


class Outdated(Exception):
    """Something else is newest under the subject than was expected; nothing was stored."""


class Entry(NamedTuple):
    """A record as the cluster has it.

    Attributes:
        subject: Under which it stands.
        sequence: Its place in the stream: later ones have greater ones, over all subjects.
        data: What it says; ``None``: what stood there has expired.
    """

    subject: str
    sequence: int
    data: bytes | None


class Stream(Protocol):
    """One stream. What it stores is on a majority of the servers when that is answered.

    Subjects are words of letters, digits, ``_`` and ``-``, parted by dots. Every call has its own bound in
    time; every one raises `ClusterAway` where the cluster cannot be reached.

    Attributes:
        largest: Bytes of the largest record that can be stored.
    """

    largest: int

    async def store(
        self, subject: str, data: bytes, *, last: int, key: str = "", seconds: int | None = None
    ) -> int:
        """Store a record where the newest under its subject has the sequence ``last``, and return its own.

        Args:
            subject: Where.
            data: What it says.
            last: The sequence of the newest, an expiry's mark included; 0: there is none.
            key: Entry again under the same key it counts as stored once (for a while, which is longer than
                a message may take).
            seconds: After which it expires, and leaves a mark; ``None``: it does not.

        Raises:
            Outdated: Something else is newest.
            AnswerMissing: Whether it is stored is not known.
        """

    async def newest(self, subjects: Sequence[str]) -> list[Entry]:
        """Return the newest record under each; ``word.*`` stands for all of that kind.

        It may be behind the truth: what is to be decided, `store` decides.
        """

    async def read(self, subject: str, *, after: int, most: int = 256) -> list[Entry]:
        """Return the next records under a subject behind a sequence, the oldest first; few may come.

        It may be behind the truth as well, but leaves none out; nothing means: none is known there.
        """

    async def forget(self, subject: str, *, before: int) -> None:
        """Remove the records under a subject that have a smaller sequence."""

    async def notify(self, subject: str, sequence: int) -> None:
        """Have those who hear of a subject know of a record that was stored."""

    def hearing(self, subject: str, notice: Callable[[int], None]) -> AbstractAsyncContextManager[None]:
        """Give something on the loop the sequence of each record that others `notify` of: a hint.

        It may be lost; 0 stands for any that may have been.
        """


AnswerOwner = Callable[[str], Awaitable[bytes | None]]
"""Returns what is answered to a target, such as ``/healthz``."""


class Cluster(Protocol):
    """Both streams of a fleet.

    Attributes:
        register: The newest record of each subject.
        records: All of each room's.
        name: What it is called in messages: its servers, without a password.
    """

    register: Stream
    records: Stream
    name: str

    async def ask(self, room: str, target: str, *, within: float, largest: int) -> bytes | None:
        """Return what the owner of a room answers to a target, or ``None`` where none answers there.

        Raises:
            ClusterAway: The cluster cannot be reached, or the answer did not come within so many seconds.
            HangbotError: The answer has more than ``largest`` bytes.
        """

    def answering(self, room: str, answer: AnswerOwner) -> AbstractAsyncContextManager[None]:
        """Answer for a room within the block; ``None`` in place of an answer: there is none."""
