"""Reads the history of conversations into the app, and begins them again where the server counts anew."""

import asyncio
import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hangbot.bot.events import ChatMessage
from hangbot.bot.history import History
from hangbot.bot.intake import Intake
from hangbot.bot.ledger import Ledger
from hangbot.bot.patience import Patience
from hangbot.bot.ports import CONVERSATIONS_LISTED, ChatHistory, Conversation, Newest
from hangbot.clock import Clock
from hangbot.errors import ServiceError

__all__ = ["Listed", "Reading"]

logger = logging.getLogger(__name__)

_PAGE: Final = 100
_ON_ITS_WAY: Final = 1.0
"""Seconds that a row may take from the history to the connection: nothing orders the two (measured)."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a look at the list of conversations found.

    Attributes:
        group: The newest row of the room's group, or ``None`` where the list does not have it.
        missed: How many direct lines the connection did not bring.
    """

    group: Newest | None = None
    missed: int = 0


class Reading:
    """One conversation is read at a time.

    Args:
        ledger: The positions.
        intake: Takes what is read.
        history: Where it is read.
        patience: Makes the requests.
        clock: Waits.
    """

    def __init__(
        self, ledger: Ledger, intake: Intake, history: ChatHistory, patience: Patience, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._intake = intake
        self._chat = history
        self._patience = patience
        self._clock = clock
        self._lock = asyncio.Lock()
        self._histories: dict[Conversation, History] = {}

    async def begin(self) -> None:
        """Take up the positions: the first time behind all that was said so far."""
        ledger = self._ledger
        await ledger.load()
        if not ledger.knows(ledger.group):
            rows = await self._patience.ask(self._history(ledger.group).newest)
            await ledger.begin(ledger.group, rows)
        elif ledger.died_counting_anew:
            await self._begin_all_again(ledger.latest)
        if ledger.base is None:  # one counter numbers all conversations: one id is a place in each
            listed = await self._list(1)
            known = ledger.position(ledger.group).newest
            await ledger.begin_direct(max(known, *(newest.id for newest in listed), 0))

    async def read(self, conversation: Conversation, *, check: bool = False) -> int:
        """Read a conversation on, as far as the app has room.

        Args:
            conversation: Which.
            check: Whether a connection should have brought it all.

        Returns:
            How many lines it did not bring.
        """
        async with self._lock:
            return await self._read(conversation, check=check)

    async def list(self, *, verify: bool, check: bool = False) -> Listed:
        """Look at the list of conversations, and read each direct one whose newest id has grown, no other.

        Args:
            verify: Whether one that the connection brought has grown, too, until the history shows the same.
            check: Whether a connection should have brought it all.
        """
        async with self._lock:
            missed, number, group = 0, 0, None
            while True:
                number += 1
                listed = await self._list(number)
                grown = [newest for newest in listed if self._has_grown(newest, verify=verify)]
                for newest in grown:
                    missed += await self._read(newest.conversation, check=check)
                ours = (newest for newest in listed if newest.conversation == self._ledger.group)
                group = group or next(ours, None)
                if len(listed) < CONVERSATIONS_LISTED or not grown:
                    break
        return Listed(group, missed)

    def _has_grown(self, newest: Newest, *, verify: bool) -> bool:
        if not newest.conversation.direct:
            return False
        position = self._ledger.position(newest.conversation)
        if newest.id > (position.verified if verify else position.newest):
            return True
        # Or the server counts anew; which shows in the conversation.
        return 0 < position.sent_at < newest.sent_at - 1 and newest.id < position.verified

    async def _read(self, conversation: Conversation, *, check: bool) -> int:
        position, missed = self._ledger.position(conversation), 0
        look = functools.partial(self._history(conversation).look, position, _PAGE)
        while True:
            page = await self._patience.ask(look)
            for row in page.unreadable:
                self._intake.report(row)
            if page.anew:
                await self._count_anew(conversation, page.rows)
                continue
            if check:
                missed += await self._missed(conversation, page.rows)
            roomy = self._intake.paged(conversation, page.rows)
            self._intake.log_passed()  # first: what is written is never reported again
            await self._ledger.write(conversation)
            if not (page.more and roomy):
                break
        self._intake.to_read.pop(conversation, None)
        return missed

    async def _missed(self, conversation: Conversation, rows: Sequence[ChatMessage]) -> int:
        """Return how many lines of a page the connection does not bring within a moment."""
        if conversation in self._intake.behind or not self._intake.missing(conversation, rows):
            return 0
        await self._clock.sleep(_ON_ITS_WAY)
        return len(self._intake.missing(conversation, rows))

    # -- where conversations begin

    async def _count_anew(self, conversation: Conversation, rows: Sequence[ChatMessage]) -> None:
        since = self._ledger.latest
        await self._ledger.new_epoch()
        await self._ledger.begin_again(conversation, rows)
        await self._begin_all_again(since)

    async def _begin_all_again(self, since: int) -> None:
        """Begin each conversation again that is of an earlier epoch."""
        ledger, group = self._ledger, self._ledger.group
        if ledger.is_old(group):
            back = functools.partial(self._history(group).back, ledger.position(group))
            await ledger.begin_again(group, await self._patience.ask(back))
        base, number = 0, 0
        while True:
            number += 1
            listed = await self._list(number)
            for newest in listed:
                conversation = newest.conversation
                if newest.sent_at < since or not conversation.direct:
                    base = max(base, newest.id) if newest.sent_at < since else base
                elif ledger.is_old(conversation) or not ledger.knows(conversation):
                    position = ledger.position(conversation)
                    position.sent_at = position.sent_at or since  # nothing of it is known: all before is old
                    back = functools.partial(self._history(conversation).back, position)
                    await ledger.begin_again(conversation, await self._patience.ask(back))
            if len(listed) < CONVERSATIONS_LISTED or listed[-1].sent_at < since:
                break
        await ledger.forget_old(base)

    async def _list(self, number: int) -> Sequence[Newest]:
        """Return a page of the list of conversations; nothing where the chat does not give it."""
        try:
            return await self._patience.once(functools.partial(self._chat.newest_by_conversation, number))
        except ServiceError as exc:
            more = {"action": "conversations_failed"}
            logger.warning("[ERROR] direct messages are not looked for this time: %s", exc, extra=more)
            return ()

    def _history(self, conversation: Conversation) -> History:
        if conversation not in self._histories:
            self._histories[conversation] = History(self._chat, conversation)
        return self._histories[conversation]
