"""Reads the chat, however long it is away in between."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from hangbot.bot.app_runner import AppRunner
from hangbot.bot.events import ChatMessage
from hangbot.bot.options import BotOptions
from hangbot.bot.ports import ChatFeed, ChatReader
from hangbot.clock import Clock
from hangbot.delivery.courier import Courier
from hangbot.delivery.retry import RetryPolicy
from hangbot.delivery.throttle import Stopped
from hangbot.errors import Refused, ServiceError, Unavailable
from hangbot.health import Condition, Conditions
from hangbot.ids import Rng

__all__ = ["ChatListener"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_CHAT_GROUP: Final = "chat group"


class ChatListener:
    """Reads the chat from now on, and gives the app what others say.

    Args:
        chat: Who the bot is there.
        feed: What is new there.
        courier: Whose limits each request passes; it stops this one, too.
        clock: Measures and waits.
        rng: Draws the waits.
        policy: How long to wait before a request is made again.
        options: How often it looks, and whether it joins the group.
        conditions: Given what is wrong and lasts.
        app: Given each line.
        nickname: Returns what a user is called in the room.

    Attributes:
        reads: Set once it has begun to read.
    """

    def __init__(  # noqa: PLR0913  everything is handed in
        self,
        chat: ChatReader,
        feed: ChatFeed,
        courier: Courier,
        clock: Clock,
        rng: Rng,
        policy: RetryPolicy,
        *,
        options: BotOptions,
        conditions: Conditions,
        app: AppRunner,
        nickname: Callable[[str], str | None],
    ) -> None:
        self.reads = asyncio.Event()
        self._chat = chat
        self._feed = feed
        self._courier = courier
        self._clock = clock
        self._rng = rng
        self._policy = policy
        self._conditions = conditions
        self._app = app
        self._nickname = nickname
        self._options = options
        self._own_ids: frozenset[object] = frozenset()
        self._cause = "it has not asked yet"

    def status(self) -> Sequence[Condition]:
        """Return why the chat is not read; nothing while it is."""
        if self.reads.is_set():
            return ()
        return (Condition("chat", f"the chat is not read ({self._cause})", Unavailable.remedy),)

    async def run(self) -> None:
        """Read until the courier is stopped."""
        with suppress(Stopped):
            await self._read()

    async def _read(self) -> None:
        self._conditions.bad("chat", f"the chat is not read ({self._cause})", Unavailable.remedy)
        await self._retry_forever(self._begin)
        newest = await self._retry_forever(self._feed.begin)
        self.reads.set()
        self._conditions.good("chat")
        logger.info("[OK] reading the chat from message %s on", newest, extra={"action": "chat_joined"})
        while True:
            look = await self._retry_forever(self._feed.look)
            for line in look.lines:
                if line.sender not in self._own_ids:
                    self._log(line)
                    while not self._app.offer(line):
                        await self._app.room()
            if not look.more:
                await self._clock.sleep(self._options.poll_interval)

    async def _begin(self) -> None:
        me = await self._chat.me()
        # Both: a COMETCHAT_UID that is wrong must not make the bot answer itself.
        self._own_ids = frozenset({self._chat.uid, me.get("uid")})
        if self._options.learns_owner and self._chat.uid is not None:
            await self._courier.belongs_to(self._chat.uid)
        if self._options.joins:
            await self._chat.join()

    async def _retry_forever(self, request: Callable[[], Awaitable[T]]) -> T:
        """Make a request that only needs patience, however long the service is away.

        What the chat refuses in its own words (a ban, a private group, a token) is tried on seldom, in red.

        Raises:
            Stopped: The bot is to stop.
        """
        failures = 0
        while True:
            try:
                async with self._courier.request():
                    answer = await request()
            except ServiceError as exc:
                failed_at = self._clock.now()
                failures += 1
                self._cause = str(exc)
                self._conditions.bad("chat", f"the chat is not read ({exc})", exc.remedy)
                if isinstance(exc, Refused):
                    wait = self._policy.longest_wait(self._rng)
                    if not exc.about_token:  # of that, what made the request has said so
                        self._conditions.red(_CHAT_GROUP, str(exc), exc.remedy)
                else:
                    wait = self._policy.wait_after(failures, self._rng)
                more = {"action": "chat_failed", "wait_s": wait}
                logger.warning("[ERROR] %s: next try in %.1f s", exc, wait, extra=more)
                await self._clock.sleep(wait)
                await self._courier.answers(failed_at)
            else:
                self._conditions.clear(_CHAT_GROUP)
                if request == self._feed.look:
                    self._conditions.good("chat")
                return answer

    def _log(self, message: ChatMessage) -> None:
        """Show a line of the room with who said it; of what is between two people only that it came."""
        sender, text = message.sender or "?", message.text or ""
        more = {"action": "heard", "message_id": message.id, "sender": sender}
        if message.direct:
            logger.info("[HEARD] %s, to the bot alone: %d characters", sender, len(text), extra=more)
            return
        shown = text if message.text is not None else f"({message.category}, without text)"
        logger.info("[HEARD] %s: %s", self._nickname(sender) or sender, shown, extra=more)
