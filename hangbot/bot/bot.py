"""The running bot: one task group that keeps the room, reads the chat and delivers.

``Bot.run`` returns when it was stopped and has drained; it raises only what no waiting
can mend. Everything it uses is borrowed: `hangbot.factory.open_bot` opens and closes.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final

from hangbot.bot.app_forms import AnyApp, make_hooks
from hangbot.bot.app_runner import AppRunner
from hangbot.bot.canary import Canary
from hangbot.bot.direct_action import DirectAction
from hangbot.bot.handler_calls import log_not_accepted
from hangbot.bot.held_up import HeldUp
from hangbot.bot.ledger import Ledger
from hangbot.bot.listener import ChatListener
from hangbot.bot.options import BotOptions
from hangbot.bot.ports import (
    NO_FACTS,
    ChatHistory,
    ChatReader,
    Moderation,
    OpenPush,
    OpenRoom,
    RoomFacts,
    RoomSession,
)
from hangbot.bot.services import Deliverer, RoomKeeper, Service
from hangbot.bot.speech import Speech
from hangbot.delivery.courier import Courier
from hangbot.delivery.record import Notify, Settlement
from hangbot.delivery.retrier import Retrier
from hangbot.delivery.retry import RetryPolicy
from hangbot.delivery.store import Store
from hangbot.errors import HangbotError, OutboxError, Unreachable
from hangbot.figures import Figures
from hangbot.health import Conditions, Health
from hangbot.ids import new_id
from hangbot.journal import SILENT, Journal
from hangbot.system_errors import first_of

__all__ = ["AnyApp", "Bot", "BotOptions", "Health"]

logger = logging.getLogger(__name__)

NOTHING: Final[Mapping[Any, Callable[[], object]]] = MappingProxyType({})
"""No offers."""
_SHARE_OF_THE_APP: Final = 0.75
"""Of the drain limit at most; what is on its way has the rest."""


class Bot(Speech):
    """A bot in one room.

    Args:
        options: How it behaves.
        chat: Who it is in the chat.
        history: What was said there.
        open_push: Opens a connection that brings what is said there.
        ledger: What of it is handled.
        courier: Delivers what `say` accepts.
        open_room: Opens a room connection; called again after each loss.
        check_action: Raises `UsageError` for a room action whose name is misspelt.
        retrier: Runs room actions to their end; its clock and randomness are the bot's.
        notify: Is given each step of them.
        reconnects: How long to wait before the next connection.
        app: The author's own part, or ``None``: `hangbot.bot.app_forms.AnyApp` has its forms.
        conditions: Where its parts say what is wrong; others may have it, too.
        canary: Writes to itself and listens for it, or ``None``.
        journal: Keeps what it does.
        figures: What its parts count into; others may have it, too.
        facts: What is known of the room, as values; nothing while the app hears no events.
        store: What an app keeps and is woken for; ``None``: it can keep nothing.
        moderation: Kicks and reacts; ``None``: it cannot.
        offers: What makes further arguments of an app's handlers, by their type.
        held_up: Calls that are not made again; the bots of a process share it.
    """

    def __init__(  # noqa: PLR0913  everything is handed in, by name
        self,
        options: BotOptions,
        *,
        chat: ChatReader,
        history: ChatHistory,
        open_push: OpenPush,
        ledger: Ledger,
        courier: Courier,
        open_room: OpenRoom,
        check_action: Callable[[str], None],
        retrier: Retrier,
        notify: Notify,
        reconnects: RetryPolicy,
        app: AnyApp | None = None,
        conditions: Conditions | None = None,
        canary: Canary | None = None,
        journal: Journal = SILENT,
        figures: Figures | None = None,
        facts: RoomFacts = NO_FACTS,
        store: Store | None = None,
        moderation: Moderation | None = None,
        offers: Mapping[Any, Callable[[], object]] = NOTHING,
        held_up: HeldUp | None = None,
    ) -> None:
        super().__init__(chat, courier, ledger, retrier.rng, journal)
        self.options = options
        self.facts = facts
        self.store = store
        self.moderation = moderation
        self.offers = offers
        self.held_up = held_up or HeldUp()
        """Calls that held up the process; those that did twice are not made again."""
        self.conditions = conditions or Conditions(retrier.clock.now)
        """What is wrong and lasts; `health` shows it with the rest."""
        self.figures = figures or Figures()
        """What it has counted since its start."""
        self.clock, rng = retrier.clock, retrier.rng
        clock = self.clock
        runner = self._runner = AppRunner(
            clock,
            make_hooks(app, self),
            name=options.name,
            limit=options.handler_timeout,
            marks=ledger,
            journal=journal,
            figures=self.figures,
            held_up=self.held_up,
        )
        self.started_at = runner.started_at
        self._retrier = retrier
        self._notify = notify
        self._check_action = check_action
        self._keeper = RoomKeeper(
            open_room,
            clock,
            journal.noted(rng, "room"),
            reconnects,
            options=options,
            conditions=self.conditions,
            app=runner,
            figures=self.figures,
        )
        self._listener = ChatListener(
            chat,
            courier,
            clock,
            journal.noted(rng, "chat"),
            reconnects,
            history=history,
            open_push=canary.heard(open_push) if canary else open_push,
            ledger=ledger,
            options=options,
            conditions=self.conditions,
            app=runner,
            nickname=self._keeper.nickname,
            figures=self.figures,
        )
        self._canary = canary
        self._deliverer = Deliverer(courier, clock, self.conditions)
        self._stopping = asyncio.Event()
        self._stop_error: HangbotError | None = None

    @property
    def room(self) -> RoomSession | None:
        """The joined room connection, or ``None`` while there is none.

        One whose state was lost stays until another has joined, so that the old state can be read.
        """
        return self._keeper.session

    @property
    def room_state(self) -> Mapping[str, Any] | None:
        """The joined room as the service sent it and patches keep it; ``None`` while there is none."""
        state = self.room.state if self.room else None
        return state.data if state else None

    async def act(self, action: str, **params: object) -> Settlement:
        """Run a room action until it is acknowledged, refused or given up.

        It is repeated only after the server has read it and the state showed that it took no
        effect, only on the connection it was meant for, and a vote or skip only while the song
        that it was meant for plays.

        Raises:
            UsageError: The action's name is misspelt.
            Unreachable: The bot is not in the room at the moment.
        """
        self._check_action(action)
        room = self.room
        if room is None or room.ended.done():
            raise Unreachable(f"{action} was not sent: the bot is not in the room", service="room")
        started = room.action(action, params, me=lambda: self.chat.uid or "")
        self._journal.add("acted", action, params)
        key = f"{action}-{new_id(self.rng)[:8]}"
        return await self._retrier.run(DirectAction(key, started, self.clock, self._notify))

    async def ready(self) -> None:
        """Wait until the bot is in the room and reads the chat."""
        await self._keeper.in_room.wait()
        await self._listener.reads.wait()

    def health(self) -> Health:
        """Say what is true right now, not what was when the bot started."""
        for service in (self._keeper, self._deliverer):
            service.observe()
        return Health.of(
            self.conditions,
            in_room=self._keeper.in_room.is_set(),
            reads_chat=self._listener.reads.is_set(),
            chat_down_for=self._deliverer.down_for,
            reason=self._deliverer.reason,
        )

    def look(self) -> None:
        """Look at once for what another process put into the outbox."""
        self._courier.look()

    def stop(self) -> None:
        """Begin to drain; calling it again changes nothing."""
        if not self._stopping.is_set():
            self._journal.add("stopping")
        self._stopping.set()

    async def run(self) -> None:
        """Be in the room until `stop`; then finish what is on its way, within the drain limit.

        Raises:
            RemovedFromRoom: A moderator put the bot out.
            OutboxError: The disk or the file failed; nothing is accepted any more.
        """
        self._journal.add("began")
        try:
            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(self._run(self._keeper), name="hangbot-room")
                listening = tasks.create_task(self._run(self._listener), name="hangbot-chat")
                delivering = tasks.create_task(self._run(self._deliverer), name="hangbot-courier")
                tasks.create_task(self._runner.run(), name="hangbot-app")
                writing = (
                    tasks.create_task(self._canary.run(), name="hangbot-canary") if self._canary else None
                )
                if self.options.boot_message and not self._stopping.is_set():
                    await self._say_at_the_start(self.options.boot_message)
                await self._stopping.wait()
                await self._drain(delivering)
                for task in filter(None, (keeping, listening, writing)):
                    task.cancel()
        except* HangbotError as group:
            self._journal.add("ended", type(first_of(group)).__name__)
            raise first_of(group) from None
        self._journal.add("ended", type(self._stop_error).__name__ if self._stop_error else "")
        if self._stop_error:
            raise self._stop_error

    async def _run(self, service: Service) -> None:
        """Run a service; where the bot is to end for it, have it drain first: what was accepted goes out."""
        if error := await service.run():
            self._stop_error = error
            self.stop()

    async def _say_at_the_start(self, text: str) -> None:
        try:
            await self.say(text)
        except OutboxError as exc:
            log_not_accepted("BOOT_MESSAGE", exc)

    async def _drain(self, delivering: asyncio.Task[None]) -> None:
        """Let the app end, then what it and others have said; the app leaves some of the time for that."""
        until = self.clock.now() + self.options.drain
        with self._courier.noting() as said:
            await self._runner.drain(self.options.drain * _SHARE_OF_THE_APP)
        if said and self._deliverer.down_for is None:
            with suppress(TimeoutError):  # what does not go out now waits in the outbox
                ends = asyncio.gather(*map(self.settled, said), return_exceptions=True)
                await self.clock.wait_for(ends, (until - self.clock.now()) / 2)
        self._deliverer.stop()
        try:
            await self.clock.wait_for(asyncio.wait([delivering]), until - self.clock.now())
        except TimeoutError:
            more = {"action": "drain_late"}
            logger.warning(
                "[TIMEOUT] still on its way after %g s: left in the outbox", self.options.drain, extra=more
            )
            delivering.cancel()
