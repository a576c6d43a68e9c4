"""Reads the history of conversations into the app, and begins them again where the server counts anew."""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Sequence
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
        enter_again: Makes the bot a member of the group: a server that began anew has forgotten that, too.
    """

    def __init__(
        self,
        ledger: Ledger,
        intake: Intake,
        history: ChatHistory,
        patience: Patience,
        clock: Clock,
        enter_again: Callable[[], Awaitable[None]],
    ) -> None:
        self._ledger = ledger
        self._intake = intake
        self._chat = history
        self._patience = patience
        self._clock = clock
        self._enter_again = enter_again
        self._lock = asyncio.Lock()
        self._histories: dict[Conversation, History] = {}

    async def begin(self) -> None:
        """Take up the positions: the first time behind all that was said so far."""
        ledger = self._ledger
        await ledger.load()
        if not ledger.knows(ledger.group):
            rows = await self._patience.ask(self._history(ledger.group).newest)
            await ledger.begin(ledger.group, rows)
        if ledger.base is None:  # one counter numbers all conversations: one id is a place in each
            listed = await self._list(1) or ()  # without the list, the group has a place to begin from, too
            known = ledger.position(ledger.group).newest
            await ledger.begin_direct(max(known, *(newest.id for newest in listed if newest), 0))

    async def read(self, conversation: Conversation, *, check: bool = False) -> int:
        """Read a conversation on, as far as the app has room.

        Args:
            conversation: Which.
            check: Whether a connection should have brought it all.

        Returns:
            How many lines it did not bring.
        """
        async with self._lock:
            epoch = self._ledger.epoch
            missed = await self._read(conversation, check=check)
            if self._ledger.epoch != epoch:  # then others have grown, too
                missed += (await self._look_through(verify=True, check=check)).missed
            return missed

    async def list(self, *, verify: bool, check: bool = False) -> Listed:
        """Look at the list of conversations, and read each direct one whose newest id has grown, no other.

        Args:
            verify: Whether one that the connection brought has grown, too, until the history shows the same.
            check: Whether a connection should have brought it all.
        """
        async with self._lock:
            return await self._look_through(verify=verify, check=check)

    async def _look_through(self, *, verify: bool, check: bool) -> Listed:
        missed, number, group, ledger = 0, 0, None, self._ledger
        while True:
            number, epoch = number + 1, ledger.epoch
            if (listed := await self._list(number)) is None:
                break
            readable = [newest for newest in listed if newest]
            grown = [newest for newest in readable if self._has_grown(newest, verify=verify)]
            for newest in grown:
                missed += await self._read(newest.conversation, check=check)
            ours = (newest for newest in readable if newest.conversation == ledger.group)
            group = group or next(ours, None)
            if ledger.epoch != epoch:
                number = 0  # what was looked at before has grown, too
            elif len(listed) < CONVERSATIONS_LISTED or not grown:
                break
        if ledger.position(ledger.group).old:
            missed += await self._read(ledger.group, check=check)
        return Listed(group, missed)

    def _has_grown(self, newest: Newest, *, verify: bool) -> bool:
        if not newest.conversation.direct:
            return False
        position = self._ledger.position(newest.conversation)
        if position.old or newest.id > (position.verified if verify else position.newest):
            return True
        # Or the server counts anew; which shows in the conversation.
        return position.contradicts_id(newest.id, newest.sent_at)

    async def _read(self, conversation: Conversation, *, check: bool) -> int:
        position, missed = self._ledger.position(conversation), 0
        history = self._history(conversation)
        look = functools.partial(history.look, position, _PAGE)
        while True:
            left = frozenset(self._intake.to_read.get(conversation, ()))
            if position.old and not await self._begin_again(
                conversation, await self._patience.ask(functools.partial(history.back, position))
            ):
                break
            page = await self._patience.ask(look)
            for row in page.unreadable:
                self._intake.report(row)
            if page.anew or (page.emptied and not conversation.direct):
                await self._enter_again()
            if page.anew:
                await self._ledger.new_epoch(position.kept(page.rows))
                await self._begin_again(conversation, page.rows)
                continue
            if check:
                missed += await self._missed(conversation, page.rows)
            roomy = self._intake.paged(conversation, page.rows)
            self._intake.log_passed()  # first: what is written is never reported again
            await self._ledger.write(conversation)
            came = self._intake.to_read.get(conversation, left) - left  # since the page was asked for
            if not ((page.more or came) and roomy):
                break
        self._intake.to_read.pop(conversation, None)
        return missed

    async def _begin_again(self, conversation: Conversation, rows: Sequence[ChatMessage]) -> bool:
        """Begin an old conversation again; ``False`` where the server shows no row of it, if by mistake."""
        if rows:
            await self._ledger.begin_again(conversation, rows)
        return bool(rows)

    async def _missed(self, conversation: Conversation, rows: Sequence[ChatMessage]) -> int:
        """Return how many lines of a page the connection does not bring within a moment."""
        if conversation in self._intake.behind or not self._intake.missing(conversation, rows):
            return 0
        await self._clock.sleep(_ON_ITS_WAY)
        return len(self._intake.missing(conversation, rows))

    async def _list(self, number: int) -> Sequence[Newest | None] | None:
        """Return a page of the list of conversations; ``None`` where the chat does not give it."""
        try:
            return await self._patience.once(functools.partial(self._chat.newest_by_conversation, number))
        except ServiceError as exc:
            more = {"action": "conversations_failed"}
            logger.warning("[ERROR] direct messages are not looked for this time: %s", exc, extra=more)
            return None

    def _history(self, conversation: Conversation) -> History:
        if conversation not in self._histories:
            self._histories[conversation] = History(self._chat, conversation)
        return self._histories[conversation]
