"""Hears the chat: by push, with the history for what a connection may have missed, or by polling."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from hangbot.bot.app_runner import AppRunner
from hangbot.bot.intake import Intake
from hangbot.bot.ledger import Ledger
from hangbot.bot.options import BotOptions
from hangbot.bot.pace import ReconnectPace
from hangbot.bot.patience import CHAT, Patience
from hangbot.bot.ports import ChatHistory, ChatReader, OpenPush
from hangbot.bot.push_session import AGREEMENT, PushSession
from hangbot.bot.reading import Reading
from hangbot.clock import Clock
from hangbot.delivery.courier import Courier
from hangbot.delivery.retry import RetryPolicy
from hangbot.delivery.throttle import Stopped
from hangbot.errors import ServiceError, Unavailable
from hangbot.figures import Figures
from hangbot.health import Condition, Conditions
from hangbot.ids import Rng

__all__ = ["ChatListener"]

logger = logging.getLogger(__name__)

_PUSH: Final = "chat push"
_FALL_BACK_AFTER: Final = 2.0
"""Seconds without a socket after which the chat is polled."""
_DIRECT_EVERY: Final = 10.0
"""Seconds between looks for direct messages while the chat is polled."""
_ROOM_EVERY: Final = 0.25
"""Seconds after which what there was no room for is read, so that there is room for more than one line."""
_PUSH_REMEDY: Final = (
    "The bot tries the socket again by itself, and asks meanwhile; where that lasts, what is between it and "
    "the chat may not let WebSockets through."
)


class ChatListener:
    """Hears the chat from where it was, and gives the app what others say.

    One connection at a time, ever. While there is none for a moment, the chat is polled.

    Args:
        chat: Who the bot is there.
        courier: Whose limits each request passes; it stops this one, too.
        clock: Measures and waits.
        rng: Draws the waits.
        policy: How long to wait before a request is made, or a connection opened, again.
        history: What was said there.
        open_push: Opens a connection that brings what is said.
        ledger: What of it is handled.
        options: How it hears, how often it looks, and whether it joins the group.
        conditions: Given how the chat is.
        app: Given each line.
        nickname: Returns what a user is called in the room.
        figures: Count the connections that are lost, and say when a line was heard last.

    Attributes:
        reads: Set while it hears: the socket is there and what it may have missed is read, or polling works.
    """

    def __init__(  # noqa: PLR0913  everything is handed in
        self,
        chat: ChatReader,
        courier: Courier,
        clock: Clock,
        rng: Rng,
        policy: RetryPolicy,
        *,
        history: ChatHistory,
        open_push: OpenPush,
        ledger: Ledger,
        options: BotOptions,
        conditions: Conditions,
        app: AppRunner,
        nickname: Callable[[str], str | None],
        figures: Figures | None = None,
    ) -> None:
        self.reads = asyncio.Event()
        self._chat = chat
        self._open_push = open_push
        self._ledger = ledger
        self._courier = courier
        self._clock = clock
        self._conditions = conditions
        self._app = app
        self._options = options
        self._figures = figures or Figures()
        self._pace = ReconnectPace(policy, rng)
        self._patience = Patience(courier, clock, rng, policy, conditions)
        self._intake = Intake(ledger, history, app, nickname, clock, options.catch_up, figures=self._figures)
        self._reading = Reading(ledger, self._intake, history, self._patience, clock, self._enter_again)
        self._session = PushSession(
            self._intake,
            self._reading,
            ledger,
            clock,
            conditions=conditions,
            silence=options.chat_silence,
            heard=self.reads,
        )
        self._polls = asyncio.Event()
        """Set while the chat is polled."""
        self._said_no_socket = False
        self._cause = ""
        """Why there is no connection."""
        self._reason = ""
        """The same in a word."""

    def status(self) -> Sequence[Condition]:
        """Return why the chat is not heard; nothing while it is."""
        if self.reads.is_set():
            return ()
        return (Condition(CHAT, "the chat is not read", Unavailable.remedy),)

    async def run(self) -> None:
        """Hear until the courier is stopped."""
        self._conditions.bad(CHAT, "the chat is not read (it has not asked yet)", Unavailable.remedy)
        try:
            await self._begin()
            async with asyncio.TaskGroup() as tasks:
                if self._options.chat_feed == "poll":
                    self._polls.set()
                else:
                    tasks.create_task(_until_stopped(self._connect()), name="hangbot-chat-socket")
                tasks.create_task(_until_stopped(self._poll()), name="hangbot-chat-poll")
                tasks.create_task(_until_stopped(self._follow()), name="hangbot-chat-follow")
        except Stopped:
            return

    async def _begin(self) -> None:
        await self._patience.ask(self._introduce)
        await self._reading.begin()
        newest = self._ledger.position(self._ledger.group).newest
        logger.info("[OK] reading the chat from message %s on", newest, extra={"action": "chat_joined"})

    async def _introduce(self) -> None:
        await self._chat.me()
        if self._options.learns_owner and self._chat.uid is not None:
            await self._courier.belongs_to(self._chat.uid)
        if self._options.joins:
            await self._chat.join()

    def _hears(self) -> None:
        self.reads.set()
        self._conditions.good(CHAT)
        self._conditions.good(AGREEMENT)  # what is heard is what the history has

    # -- by push

    async def _connect(self) -> None:
        """Keep a connection: open it, hear it, and again after each end, waiting longer each time."""
        while True:
            async with self._falling_back() as waiting:
                try:
                    await self._courier.available()
                    missed = await self._one_connection(waiting)
                except (
                    ServiceError
                ) as exc:  # whatever a service says: it may say something else the next time
                    missed, self._cause, self._reason = 0, str(exc), type(exc).__name__
                    self._log_no_socket(exc)
            self._figures.reconnects.count("chat", self._reason)
            if not self._polls.is_set():
                self.reads.clear()
                self._conditions.bad(CHAT, f"the chat is not heard ({self._cause})", Unavailable.remedy)
            self._pace.left(self._clock.now())
            async with self._falling_back():
                if missed:
                    await self._enter_again()
                await self._clock.sleep(self._pace.next_wait(reset=False, refused=False))

    async def _one_connection(self, waiting: asyncio.Task[None]) -> int:
        """Open a connection and hear it to its end; return how many lines it did not bring."""
        async with self._open_push() as push:
            self._pace.joined(self._clock.now())
            waiting.cancel()
            self._polls.clear()
            self._conditions.clear(_PUSH)
            self._said_no_socket = False
            missed = await self._session.run(push)
            self._cause, self._reason = "its socket did not bring everything", "deaf"
            if not missed and push.ended.done():
                end = push.ended.result()
                how = f"{end.reason}, {end.detail}" if end.detail else end.reason
                self._cause, self._reason = f"its socket has ended: {how}", end.reason
                more = {"action": "chat_socket_lost"}
                logger.warning(
                    "[SOCKET] the chat's socket has ended (%s): it is opened again", how, extra=more
                )
            return missed

    async def _enter_again(self) -> None:
        """Join the group again: that the bot was put out, or the server forgot it, is not announced."""
        if not self._options.joins:
            return
        try:
            await self._patience.once(self._chat.join)
        except ServiceError as exc:
            self._patience.refused(exc)
            more = {"action": "chat_failed"}
            logger.warning("[ERROR] the group was not joined again: %s", exc, extra=more)

    # -- by polling

    @asynccontextmanager
    async def _falling_back(self) -> AsyncIterator[asyncio.Task[None]]:
        """Have the chat polled where the block takes long; it may cancel the task that waits for that."""
        waiting = asyncio.create_task(self._fall_back(), name="hangbot-chat-fall-back")
        try:
            yield waiting
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    async def _fall_back(self) -> None:
        if self._options.chat_feed == "auto":
            await self._clock.sleep(_FALL_BACK_AFTER)
            self._polls.set()

    def _log_no_socket(self, error: ServiceError) -> None:
        """Show that there is no socket: in the log once, until there is one again."""
        polls = self._options.chat_feed == "auto"
        how = f"it is asked every {self._options.poll_interval:g} s" if polls else "it is not heard"
        sentence = f"the chat's socket is not to be had ({error}): meanwhile {how}"
        self._conditions.bad(_PUSH, sentence, _PUSH_REMEDY if polls else error.remedy)
        if polls:
            self._polls.set()
        else:
            self._conditions.bad(CHAT, sentence, error.remedy)
        if not self._said_no_socket:
            self._said_no_socket = True
            logger.warning("[SOCKET] %s", sentence, extra={"action": "chat_falls_back"})

    async def _poll(self) -> None:
        """Ask for what is new, again and again, while the chat is to be polled."""
        list_at = -math.inf
        while True:
            await self._polls.wait()
            await self._reading.read(self._ledger.group)
            if self._clock.now() >= list_at:
                await self._reading.list(verify=True)
                list_at = self._clock.now() + _DIRECT_EVERY
            if self._polls.is_set():
                self._hears()
            await self._clock.sleep(self._options.poll_interval)

    # -- while the app has no room

    async def _follow(self) -> None:
        """Read on what there was no room for, each time that there is some."""
        while True:
            await self._intake.full.wait()
            self._intake.full.clear()
            await self._app.room()
            await self._clock.sleep(_ROOM_EVERY)
            for conversation in tuple(self._intake.behind):
                self._intake.readmit(conversation)
                await self._reading.read(conversation)


async def _until_stopped(work: Awaitable[None]) -> None:
    with suppress(Stopped):
        await work
