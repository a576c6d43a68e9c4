"""The running bot: one task group that keeps the room, reads the chat and delivers.

``Bot.run`` returns when it was told to stop and has drained; it raises only what no waiting
can mend. Everything it uses is borrowed: `hangbot.factory.open_bot` opens and closes.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final, Protocol, TypeVar

from hangbot.bot.events import ChatMessage
from hangbot.bot.ports import Disconnect
from hangbot.bot.reconnect import ReconnectPace
from hangbot.bot.resync import ResyncPace
from hangbot.bot.uptime import uptime
from hangbot.config import Settings
from hangbot.delivery.courier import Courier
from hangbot.delivery.message import Outgoing
from hangbot.delivery.record import OutboxRow, Settlement
from hangbot.delivery.retry import Retrier, RetryPolicy
from hangbot.delivery.throttle import Stopped
from hangbot.errors import (
    ActionLost,
    ConnectionLost,
    HangbotError,
    JoinRefused,
    OutboxError,
    OutboxFull,
    OutboxUnusable,
    Refused,
    RemovedFromRoom,
    ServiceError,
    TokenRejected,
    Unavailable,
    Unreachable,
    first_of,
)
from hangbot.hangfm.action import RoomAction
from hangbot.hangfm.chat import ChatClient
from hangbot.hangfm.feed import PollingFeed
from hangbot.hangfm.room import RoomClient
from hangbot.hangfm.wire.actions import check_name
from hangbot.health import Condition, Conditions, Health
from hangbot.ids import new_id

__all__ = ["App", "Bot", "Health"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
OpenRoom = Callable[[], AbstractAsyncContextManager[RoomClient]]

_ADMISSION: Final = "room admission"
_CHAT_GROUP: Final = "chat group"
_STATE: Final = "room state"
_STATE_REMEDY: Final = (
    "The bot fetches the state again by itself; where that lasts, the service is in trouble: "
    "report these words to whoever runs it."
)


class App(Protocol):
    """A bot author's own part: told every message of others, in order."""

    def __call__(self, bot: "Bot", message: ChatMessage, /) -> Awaitable[None]:
        """React to a message. What it raises is logged and does not stop the bot."""


class Bot:
    """A bot in one room.

    Args:
        settings: The configuration.
        chat: The chat client.
        courier: Delivers what `say` accepts.
        open_room: Opens a room connection; called again after each loss.
        retrier: Carries room actions; its clock and randomness are the bot's.
        reconnects: How long to wait before the next connection.
        app: The author's own part, or ``None``.
        conditions: Where its parts say what is wrong; others may have it, too.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        chat: ChatClient,
        courier: Courier,
        open_room: OpenRoom,
        retrier: Retrier,
        reconnects: RetryPolicy,
        app: App | None = None,
        conditions: Conditions | None = None,
    ) -> None:
        self.settings = settings
        self.chat = chat
        self.room: RoomClient | None = None
        """The joined room connection, or ``None`` while there is none.

        One whose state was lost stays until another has joined, so that the old state can be read.
        """
        self.started_at = retrier.clock.wall()
        self.conditions = conditions or Conditions()
        """What is wrong and lasts; `health` shows it with the rest."""
        self._courier = courier
        self._open_room = open_room
        self._retrier = retrier
        self._reconnects = reconnects
        self._resyncs = ResyncPace()
        self._clock = retrier.clock
        self._rng = retrier.rng
        self._app = app
        self._stopping = asyncio.Event()
        self._in_room = asyncio.Event()
        self._in_chat = asyncio.Event()
        self._own: frozenset[object] = frozenset()
        self._fatal: HangbotError | None = None
        self._out_of_room = "it has not joined yet"
        self._back_into_room = ConnectionLost.remedy
        self._out_of_chat = "it has not asked yet"

    async def say(
        self, text: str, *, to: str | None = None, direct: bool = False, key: str | None = None
    ) -> list[OutboxRow]:
        """Accept a message; when this returns it is on disk and will be delivered or reported.

        Args:
            text: What to say; over 900 characters it is cut into up to ten parts.
            to: A group's GUID, or with ``direct`` a user's uid; the room by default.
            direct: Whether ``to`` is a user.
            key: The stable id; made here by default.

        Raises:
            UsageError: The message cannot be sent as it is.
            OutboxError: It could not be written; nothing was accepted.
        """
        message = Outgoing(key or new_id(self._rng), to or self.chat.group_id, text, direct)
        return await self._courier.accept(message)

    async def settled(self, key: str) -> Settlement:
        """Wait until an accepted message has ended; raises `UnknownMessage`."""
        return await self._courier.settled(key)

    async def act(self, action: str, **params: object) -> Settlement:
        """Run a room action until it is acknowledged, refused or given up.

        It is repeated only after the server has read it and the state showed that it took no
        effect, only on the connection it was meant for, and a vote or skip only while the song
        that it was meant for plays.

        Raises:
            UsageError: The action's name is misspelt.
            Unreachable: The bot is not in the room at the moment.
        """
        check_name(action)
        room = self.room
        if room is None or room.ended.done():
            raise Unreachable(f"{action} was not sent: the bot is not in the room", service="room")
        doing = RoomAction(room, action, params, lambda: self.chat.uid or "")
        key = f"{action}-{new_id(self._rng)[:8]}"
        return await self._retrier.run(key, doing.send, doing.find, if_uncertain=ActionLost.remedy)

    async def ready(self) -> None:
        """Wait until the bot is in the room and reads the chat."""
        await self._in_room.wait()
        await self._in_chat.wait()

    def health(self) -> Health:
        """Say what is true right now, not what was when the bot started."""
        breaker, red = self._courier.breaker, list(self.conditions.all())
        down = None if breaker.since is None else self._clock.now() - breaker.since
        if not self._in_room.is_set():
            red.append(Condition("room", f"not in the room ({self._out_of_room})", self._back_into_room))
        if not self._in_chat.is_set():
            red.append(Condition("chat", f"the chat is not read ({self._out_of_chat})", Unavailable.remedy))
        if down is not None:
            sentence = f"the chat has been down for {down:.0f} s ({breaker.reason})"
            red.append(Condition("delivery", sentence, Unavailable.remedy))
        return Health(self._in_room.is_set(), self._in_chat.is_set(), down, breaker.reason, tuple(red))

    def stop(self) -> None:
        """Begin to drain; calling it again changes nothing."""
        self._stopping.set()

    async def run(self) -> None:
        """Be in the room until `stop`; then finish what is on its way, within the drain limit.

        Raises:
            RemovedFromRoom: A moderator put the bot out.
            OutboxError: The disk or the file failed; nothing is accepted any more.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(self._keep_room(), name="hangbot-room")
                listening = tasks.create_task(self._listen(), name="hangbot-chat")
                delivering = tasks.create_task(self._courier.run(), name="hangbot-courier")
                if self.settings.boot_message and not self._stopping.is_set():
                    await self._say_at_the_start(self.settings.boot_message)
                await self._stopping.wait()
                await self._drain(delivering)
                keeping.cancel()
                listening.cancel()
        except* HangbotError as group:
            raise first_of(group) from None
        if self._fatal:
            raise self._fatal

    async def _say_at_the_start(self, text: str) -> None:
        try:
            await self.say(text)
        except OutboxError as exc:
            _log_not_accepted("BOOT_MESSAGE", exc)

    async def _drain(self, delivering: asyncio.Task[None]) -> None:
        self._courier.stop()
        _, late = await asyncio.wait([delivering], timeout=self.settings.drain)
        if late:
            logger.warning(
                "still on its way after %g s: left in the outbox",
                self.settings.drain,
                extra={"action": "drain_late"},
            )
            delivering.cancel()

    async def _keep_room(self) -> None:
        """Stay in the room: connect, join, and again after each loss, waiting longer each time."""
        pace = ReconnectPace(self._reconnects, self._rng)
        while True:
            ended, refused, remedy = Disconnect("left"), False, ConnectionLost.remedy
            try:
                async with self._open_room() as room:
                    await room.welcome(self.settings.welcome_timeout)
                    await room.join()
                    pace.joined(self._clock.now())
                    ended = await self._stay(room)
                    if ended.reason == "state lost":
                        ended = await self._bear(room, ended)
            except RemovedFromRoom as exc:
                ended = Disconnect("kicked", str(exc))
            except HangbotError as exc:  # whatever a service says: it may say something else the next time
                ended, remedy = Disconnect("lost", str(exc)), exc.remedy
                self._note_refusal(exc)
                refused = isinstance(exc, TokenRejected)
            finally:
                if ended.reason != "state lost":
                    self.room = None
                self._in_room.clear()
            if ended.reason == "kicked":
                # Drained before it is raised: what was accepted is not to suffer for it.
                self._fatal = RemovedFromRoom("a moderator put the bot out of the room", service="room")
                self.stop()
                return
            pace.left(self._clock.now())
            if ended.reason == "state lost":
                continue  # now: the room sees no leave for 20 s
            self._out_of_room = f"{ended.reason}, {ended.detail}" if ended.detail else ended.reason
            self._back_into_room = remedy
            wait = pace.next_wait(reset=ended.reason == "reset", refused=refused)
            logger.warning(
                "[SOCKET] not in the room (%s): next try in %.1f s",
                self._out_of_room,
                wait,
                extra={"action": "room_lost", "wait_s": wait},
            )
            await self._clock.sleep(wait)

    def _note_refusal(self, error: HangbotError) -> None:
        """Turn red where the room does not let the bot in: that is nothing that passes by itself."""
        if isinstance(error, TokenRejected | JoinRefused):
            self.conditions.red(_ADMISSION, str(error), error.remedy)

    async def _stay(self, room: RoomClient) -> Disconnect:
        self.room = room
        self._in_room.set()
        self.conditions.clear(_ADMISSION)
        name = room.state.room_name() if room.state else None
        logger.info("[SOCKET] joined %s", name or room.room, extra={"action": "room_joined"})
        try:
            return await self._clock.wait_for(asyncio.shield(room.ended), self._resyncs.sound_after)
        except TimeoutError:
            self._resyncs.succeed()
            self.conditions.clear(_STATE)
        return await asyncio.shield(room.ended)

    async def _bear(self, room: RoomClient, lost: Disconnect) -> Disconnect:
        """Stay in the room with a lost state until a fresh one may be fetched; return how that ended."""
        wait = self._resyncs.next_wait(lost.trouble)
        if wait:
            self.conditions.red(_STATE, f"the state of the room is lost again ({lost.detail})", _STATE_REMEDY)
        else:
            self._in_room.clear()
        logger.warning(
            "[SOCKET] state lost (%s): a fresh one in %.1f s",
            lost.detail,
            wait,
            extra={"action": "room_lost", "wait_s": wait},
        )
        try:
            return await self._clock.wait_for(asyncio.shield(room.closed), wait)
        except TimeoutError:
            return lost

    async def _listen(self) -> None:
        """Read the chat from now on, until the bot is to stop."""
        with suppress(Stopped):
            await self._read_chat()

    async def _read_chat(self) -> None:
        """Tell each line; a full page of news is followed at once."""
        feed = PollingFeed(self.chat)
        await self._persist(self._begin_listening)
        newest = await self._persist(feed.begin)
        self._in_chat.set()
        logger.info("[OK] reading the chat from message %s on", newest, extra={"action": "chat_joined"})
        while True:
            look = await self._persist(feed.look)
            for line in look.lines:
                await self._hear(line)
            if not look.more:
                await self._clock.sleep(self.settings.poll_interval)

    async def _begin_listening(self) -> None:
        me = await self.chat.me()
        # Both: a COMETCHAT_UID that is wrong must not make the bot answer itself.
        self._own = frozenset({self.chat.uid, me.get("uid")})
        if self.settings.chat_uid is None and self.chat.uid is not None:
            await self._courier.belongs_to(self.chat.uid)
        if self.settings.auto_join:
            await self.chat.join()

    async def _persist(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something that only needs patience, however long the service is away.

        What the chat refuses in its own words (a ban, a private group, a token) is tried on seldom, in red.

        Raises:
            Stopped: The bot is to stop.
        """
        failures = 0
        while True:
            try:
                done = await self._courier.through(work)
            except ServiceError as exc:
                failed_at = self._clock.now()
                failures += 1
                self._out_of_chat = str(exc)
                if isinstance(exc, Refused):
                    wait = self._reconnects.longest_wait(self._rng)
                    if not exc.about_token:  # of that, whoever made the request has said so
                        self.conditions.red(_CHAT_GROUP, str(exc), exc.remedy)
                else:
                    wait = self._reconnects.wait_after(failures, self._rng)
                logger.warning(
                    "[ERROR] %s: next try in %.1f s",
                    exc,
                    wait,
                    extra={"action": "chat_failed", "wait_s": wait},
                )
                await self._clock.sleep(wait)
                await self._courier.answers(failed_at)
            else:
                self.conditions.clear(_CHAT_GROUP)
                return done

    async def _hear(self, message: ChatMessage) -> None:
        """Pass a message of someone else on."""
        if message.sender in self._own:
            return
        self._log_heard(message)
        try:
            if message.text is not None and message.text.strip() == "/uptime":
                await self.say(uptime(self.settings.bot_name, self._clock.wall() - self.started_at))
            elif self._app is not None:
                await self._app(self, message)
        except (OutboxFull, OutboxUnusable) as exc:
            _log_not_accepted(f"the answer to message {message.id}", exc)
        except asyncio.CancelledError as exc:
            # The app's own, of a task that it awaited: only a bot that stops is really cancelled.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            _log_app_failure(message, exc)
        except Exception as exc:  # noqa: BLE001  logged with its traceback: it must not stop the bot
            _log_app_failure(message, exc)

    def _log_heard(self, message: ChatMessage) -> None:
        """Show a line of the room with who said it; of what is between two people only that it came."""
        sender, text = message.sender or "?", message.text or ""
        more = {"action": "heard", "message_id": message.id, "sender": sender}
        if message.direct:
            logger.info("[HEARD] %s, to the bot alone: %d characters", sender, len(text), extra=more)
            return
        state = self.room.state if self.room else None
        name = state.nickname(sender) if state else None
        shown = text if message.text is not None else f"({message.category}, without text)"
        logger.info("[HEARD] %s: %s", name or sender, shown, extra=more)


def _log_not_accepted(what: str, error: OutboxError) -> None:
    more = {"action": "not_accepted"}
    logger.error("[ERROR] %s is lost: %s. %s", what, error, error.remedy, extra=more)


def _log_app_failure(message: ChatMessage, error: BaseException) -> None:
    more = {"action": "app_failed"}
    logger.error("[ERROR] the app failed on message %s", message.id, exc_info=error, extra=more)
