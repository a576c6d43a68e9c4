"""A direct message to oneself now and then, heard back by push: that what is sent is also forwarded."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from hangbot.bot.events import ChatMessage
from hangbot.bot.ports import ChatPush, Disconnect, OpenPush, Unreadable
from hangbot.clock import Clock
from hangbot.delivery.courier import Courier
from hangbot.delivery.message import Outgoing
from hangbot.delivery.ports import MessageSink
from hangbot.delivery.throttle import Stopped
from hangbot.errors import ServiceError
from hangbot.health import Conditions
from hangbot.ids import Rng, new_id

__all__ = ["CANARY", "Canary"]

logger = logging.getLogger(__name__)

CANARY: Final = "canary"
_TEXT: Final = "hangbot hears itself"
_REMEDY: Final = (
    "The bot goes on to ask whether it missed a line. Where that lasts, the chat does not forward direct "
    "messages: report these words to whoever runs it."
)


class Canary:
    """Sends such messages while there is a connection, and listens for them; the app hears none of them.

    They are in no outbox: one that is lost is news, and nothing to be sent again.

    Args:
        sink: Where they go.
        courier: Whose limits each passes.
        me: Returns the bot's uid, where it is known.
        clock: Measures and waits.
        rng: Makes their ids.
        conditions: Given whether they come back.
        every: Seconds between two; after one that did not come back, the next is sent at once.
        within: Seconds in which one has to come back.
    """

    def __init__(
        self,
        sink: MessageSink,
        courier: Courier,
        me: Callable[[], str | None],
        clock: Clock,
        rng: Rng,
        conditions: Conditions,
        *,
        every: float = 300.0,
        within: float = 20.0,
    ) -> None:
        self._sink = sink
        self._courier = courier
        self._me = me
        self._clock = clock
        self._rng = rng
        self._conditions = conditions
        self._every = every
        self._within = within
        self._connected = asyncio.Event()
        self._sent = ""
        self._back = asyncio.Event()

    def heard(self, open_push: OpenPush) -> OpenPush:
        """Return what opens the same connection, and has this one hear what it brings."""

        @asynccontextmanager
        async def opening() -> AsyncIterator[ChatPush]:
            async with open_push() as push:
                self._connected.set()
                try:
                    yield _Overheard(push, self._note)
                finally:
                    self._connected.clear()
                    self._conditions.clear(CANARY)  # another part says that there is no connection

        return opening

    async def run(self) -> None:
        """Send and listen until the courier is stopped, or it is cancelled."""
        try:
            while True:
                await self._connected.wait()
                again = await self._once(self._me())
                await self._clock.sleep(again)
        except Stopped:
            return

    async def _once(self, me: str | None) -> float:
        """Send one and wait for it; return the seconds until the next."""
        if me is None:
            return self._within
        self._sent, self._back = f"canary-{new_id(self._rng)}", asyncio.Event()
        message = Outgoing(self._sent, me, _TEXT, direct=True)
        try:
            async with self._courier.request():
                await self._sink.send(message)
        except ServiceError as exc:  # that it is not taken is another part's
            logger.info("a message to itself was not taken: %s", exc, extra={"action": "canary"})
            return self._within
        try:
            await self._clock.wait_for(self._back.wait(), self._within)
        except TimeoutError:
            if self._connected.is_set():
                sentence = f"a direct message to itself was not heard within {self._within:g} s"
                self._conditions.bad(CANARY, sentence, _REMEDY)
            return 0.0
        self._conditions.good(CANARY)
        return self._every

    def _note(self, row: ChatMessage | Unreadable) -> None:
        if isinstance(row, ChatMessage) and row.muid == self._sent:
            self._back.set()


class _Overheard:
    """A connection whose rows are noted as they are read."""

    def __init__(self, push: ChatPush, note: Callable[[ChatMessage | Unreadable], None]) -> None:
        self._push = push
        self._note = note
        self._rows: AsyncIterator[ChatMessage | Unreadable] | None = None

    @property
    def ended(self) -> asyncio.Future[Disconnect]:
        """Done when the connection has ended, with how."""
        return self._push.ended

    def rows(self) -> AsyncIterator[ChatMessage | Unreadable]:
        """Yield its rows."""
        self._rows = self._push.rows()
        return self

    def __aiter__(self) -> "_Overheard":
        return self

    async def __anext__(self) -> ChatMessage | Unreadable:
        assert self._rows is not None  # noqa: S101  only `rows` hands this out
        row = await anext(self._rows)
        self._note(row)
        return row
