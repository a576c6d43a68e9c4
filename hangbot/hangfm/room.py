"""The room client: joins, acts with acknowledgements, and keeps the room's state.

One connection, from its welcome to its end. It does not reconnect: whoever holds it opens
another (`hangbot.bot.bot`), since after a lost connection only a new join gives the
whole state again. The same goes for a state that is no longer the room's: it stays readable, and
the connection stays open and heard, so that the bot stays in the room until it is replaced.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from websockets.exceptions import ConnectionClosed

from hangbot.bot.events import RoomEvent
from hangbot.bot.ports import Disconnect, Reason, Trouble
from hangbot.clock import Clock
from hangbot.errors import (
    AckTimeout,
    ConnectionLost,
    JoinRefused,
    RateLimited,
    Refused,
    RemovedFromRoom,
    ServiceError,
    Unavailable,
    Unreachable,
    WireError,
)
from hangbot.hangfm.action import RoomAction
from hangbot.hangfm.disconnect import Connection, close_code
from hangbot.hangfm.event_queue import EventQueue
from hangbot.hangfm.song_watch import SongWatch
from hangbot.hangfm.wire import frames as wire
from hangbot.hangfm.wire.actions import check_name
from hangbot.hangfm.wire.events import RoomMessage, to_event
from hangbot.hangfm.wire.frames import Event, Ping, Reply, ServerClosing, Unknown, Welcome
from hangbot.hangfm.wire.state import RoomState
from hangbot.text import quote_server_text

__all__ = ["Connection", "RoomClient"]

logger = logging.getLogger(__name__)

_TOO_MANY: Final = "you have too many pending requests"
_SHUTTING_DOWN: Final = "the server is shutting down"


class RoomClient:
    """One connection to one room, over a borrowed websocket.

    Args:
        connection: The open websocket.
        room: The room's uuid.
        clock: Bounds every wait.
        ack_timeout: Seconds until an action counts as unanswered.
        silence: Seconds without a heartbeat until the connection counts as dead; the server
            pings every 30 s, the official client waits 45 s.
        on_message: Told every room message, after its patch was applied where it fits. Must not block.
        guard: Called with an action's name before it is sent; what it raises keeps it from being sent.
        me: The bot's uid. A state that held it and does so no longer is lost: the room says nothing
            to whom it does not have. One that never held it proves nothing.
    """

    def __init__(
        self,
        connection: Connection,
        room: str,
        *,
        clock: Clock,
        ack_timeout: float,
        silence: float = 45.0,
        on_message: Callable[[RoomMessage], None] = lambda _: None,
        guard: Callable[[str], None] = lambda _: None,
        me: str | None = None,
    ) -> None:
        self.room = room
        self.state: RoomState | None = None
        """The room as it is, or, once `ended` is done, as it last was; ``None`` before the join."""
        self.joined: Mapping[str, Any] | None = None
        """The answer to joinRoom without its state: ``serverTime`` (ms), ``allowedRooms``…"""
        self._connection = connection
        self._clock = clock
        self._ack_timeout = ack_timeout
        self._silence = silence
        self._on_message = on_message
        self._guard = guard
        self._me = me
        self._held = False
        self._pending: dict[int | None, asyncio.Future[Reply]] = {}
        self._slots = asyncio.Semaphore(wire.MAX_PENDING)
        self._next_id = 0
        self._joins: set[int] = set()
        self._welcomed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._last_frame_at = clock.now()
        self._song = SongWatch(clock, lambda: self.state, self.ping_and_wait)
        self._disconnect_reason: Reason | None = None
        self._events = EventQueue()
        self.ended: asyncio.Future[Disconnect] = asyncio.get_running_loop().create_future()
        """Done when the connection has ended or its state was lost, with how."""
        self.closed: asyncio.Future[Disconnect] = asyncio.get_running_loop().create_future()
        """Done when the connection has ended, with how; it outlives a state that was lost."""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["RoomClient"]:
        """Read frames and watch for silence, for as long as the block runs; then close."""
        tasks = [
            asyncio.create_task(self._read(), name="hangbot-room-reader"),
            asyncio.create_task(self._watch(), name="hangbot-room-watch"),
            asyncio.create_task(self._watch_song(), name="hangbot-room-song"),
        ]
        try:
            yield self
        finally:
            self._disconnect_reason = self._disconnect_reason or "left"
            try:
                await self._connection.close()
            finally:
                for task in tasks:
                    task.cancel()
                for result in await asyncio.gather(*tasks, return_exceptions=True):
                    if isinstance(result, Exception):
                        logger.error("a task of the room connection failed", exc_info=result)
                self._end(Disconnect(self._disconnect_reason))

    async def welcome(self, within: float) -> bool:
        """Wait for the server to listen: what is sent earlier can be lost without an answer.

        Returns:
            Whether it said so in time; some servers may never say it.

        Raises:
            ConnectionLost: The connection ended without a welcome.
        """
        try:
            welcomed = await self._clock.wait_for(asyncio.shield(self._welcomed), within)
        except TimeoutError:
            return False
        if not welcomed:
            raise self._disconnect_error(self.ended.result())
        return True

    async def join(self, password: str | None = None) -> RoomState:
        """Join the room and return its state.

        Raises:
            JoinRefused: The server's own words say why.
            Unavailable: The answer has no state.
            AckTimeout: No answer in time.
            ConnectionLost: The connection went.
        """
        params = {"password": password} if password else {}
        try:
            await self.act("joinRoom", **params)
        except JoinRefused:
            raise
        except Refused as exc:
            raise JoinRefused(str(exc), service="room") from exc
        if self.state is None:
            raise Unavailable(f"the room {self.room} answered the join without its state", service="room")
        return self.state

    async def act(self, action: str, **params: object) -> Mapping[str, Any]:
        """Run an action once and return the fields of its answer.

        At most four are in flight; the others wait for their turn. What the answer holds
        besides success is not to be relied on: production's is not known.

        Raises:
            UsageError: The action's name is misspelt.
            Refused: The server's own words say why.
            RateLimited: Too many actions were pending.
            Unavailable: The server is about to end.
            AckTimeout: No answer in time; it may have been carried out.
            ConnectionLost: The connection went; it may have been carried out.
        """
        check_name(action)
        self._guard(action)
        async with self._slots:
            reply = await self._ask(action, {**params, "roomUuid": self.room})
        if reply.error is None:
            return reply.fields
        if reply.error == _TOO_MANY:
            raise RateLimited(
                f"the room put off {action} ({reply.error})",
                service="room",
                remedy="Wait: another program may act for the same bot.",
            )
        if reply.error == _SHUTTING_DOWN:
            raise Unavailable(f"the room puts off {action} ({reply.error})", service="room")
        raise Refused(f"the room refused {action} ({quote_server_text(reply.error)})", service="room")

    async def _ask(self, action: str, params: Mapping[str, object]) -> Reply:
        if self.ended.done():
            why = self.ended.result().reason
            raise Unreachable(f"{action} was not sent: the room connection has ended ({why})", service="room")
        self._next_id += 1
        key = self._next_id
        if action == "joinRoom":
            self._joins.add(key)
        frame = wire.encode_action(action, params, key)
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._pending[key] = answered
        try:
            # Sending too is bounded: a server that does not read makes it wait.
            return await self._clock.wait_for(self._exchange(frame, answered), self._ack_timeout)
        except TimeoutError:
            raise AckTimeout(
                f"no acknowledgement of {action} from the room in {self._ack_timeout:g} s", service="room"
            ) from None
        except ConnectionClosed:
            raise ConnectionLost(
                f"the room connection went while {action} was sent", service="room"
            ) from None
        finally:
            self._pending.pop(key, None)
            if not answered.cancel() and not answered.cancelled():
                answered.exception()  # looked at, even where sending failed first

    def action(self, name: str, params: Mapping[str, Any], *, me: Callable[[], str]) -> RoomAction:
        """Return an action of this connection, for the song that plays now; ``me`` tells the bot's uuid."""
        return RoomAction(self, name, params, me)

    def events(self) -> AsyncIterator[RoomEvent]:
        """Yield what happens in the room from now on, until the connection has ended. At most one reader."""
        return self._events.events()

    async def ping_and_wait(self) -> None:
        """Return when the server has read whatever was sent so far: only then does it answer this ping.

        A ping of the WebSocket's own, which the server's library answers in its turn (captured from
        ActionHero 29.3.5, and read in the source of its library).

        Raises:
            AckTimeout: No answer in time.
            ConnectionLost: The connection went.
        """
        try:
            await self._clock.wait_for(self._pinged(), self._ack_timeout)
        except TimeoutError:
            raise AckTimeout(
                f"the room does not answer a ping in {self._ack_timeout:g} s", service="room"
            ) from None
        except ConnectionClosed:
            raise ConnectionLost(
                "the room connection went before it answered a ping", service="room"
            ) from None

    async def _pinged(self) -> None:
        await (await self._connection.ping())

    async def _exchange(self, frame: str, answered: asyncio.Future[Reply]) -> Reply:
        await self._connection.send(frame)
        return await answered

    async def _read(self) -> None:
        """Read until the end, and tell everyone who waits that it has come."""
        ended = Disconnect("lost")
        try:
            while True:
                await self._handle(await self._connection.recv())
        except ConnectionClosed as exc:
            # Primus closes without a code, which `websockets` calls orderly: any end is an end.
            ended = Disconnect(self._disconnect_reason or "lost", close_code(exc))
        finally:
            self._end(ended)

    async def _watch(self) -> None:
        """Treat a connection without heartbeats as dead: a cut cable sends nothing."""
        while (quiet := self._clock.now() - self._last_frame_at) < self._silence:
            await self._clock.sleep(self._silence - quiet)
        self._disconnect_reason = self._disconnect_reason or "silent"
        self._end(Disconnect(self._disconnect_reason, f"no heartbeat for {self._silence:g} s"))
        await self._connection.close()

    async def _watch_song(self) -> None:
        why = await self._song.run()
        if why:
            self._lose_state(why, "song")

    async def _handle(self, frame: str | bytes) -> None:
        try:
            event = wire.decode(frame)
        except WireError as exc:
            logger.warning("passed over: %s", exc, extra={"action": "frame_unreadable"})
            return
        match event:
            case Ping():
                self._last_frame_at = self._clock.now()
                self._song.set_time(event.number)
                await self._connection.send(wire.encode_pong(event))
            case Welcome():
                if not self._welcomed.done():
                    self._welcomed.set_result(True)
            case ServerClosing():
                self._disconnect_reason = self._disconnect_reason or "closed by the server"
            case _:
                self._handle_message(event)

    def _handle_message(self, event: Event) -> None:
        match event:
            case Reply():
                self._answer(event)
            case RoomMessage():
                self._broadcast(event)
            case Unknown():
                logger.info(
                    "passed over an unknown frame: %s", event.summary, extra={"action": "frame_unknown"}
                )

    def _answer(self, reply: Reply) -> None:
        """Hand an answer to who waits for it; a late or a second one is nobody's.

        The state is installed here, before the next frame is read: the next frame may
        already be a patch of it. Once: a doubled answer would bring back an older state.
        """
        key = reply.message_id if type(reply.message_id) is int else None
        if key in self._joins:
            self._joins.remove(key)
            if reply.error is None:
                self._set_state(reply.fields)
        waiting = self._pending.get(key)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    def _set_state(self, fields: Mapping[str, Any]) -> None:
        state = fields.get("state")
        if not isinstance(state, dict):
            return
        try:
            self.state = RoomState(state)
        except WireError as exc:
            self._lose_state(str(exc))
            return
        self.joined = {name: value for name, value in fields.items() if name != "state"}
        self._held = self._me in self.state
        self._song.hear()
        self._song.set_time(fields.get("serverTime"))

    def _broadcast(self, message: RoomMessage) -> None:
        if message.name == "kickedFromRoom":
            self._disconnect_reason = "kicked"
            self._end(Disconnect("kicked"))  # whether or not the server hangs up then
        elif message.name == "roomReset":
            self._disconnect_reason = "reset"
        self._song.hear()
        if message.patch is not None:
            if self.state is None:
                return  # older than the state that is to come
            if not self.ended.done():
                self._apply(self.state, message.patch)
        self._on_message(message)
        self._events.put(to_event(message))

    def _apply(self, state: RoomState, patch: list[dict[str, Any]]) -> None:
        try:
            state.apply(patch)
        except WireError as exc:
            self._lose_state(str(exc))
            return
        held, self._held = self._held, self._me in state
        if held and not self._held:
            self._lose_state("a patch took the bot out of the room", "forgotten")

    def _lose_state(self, why: str, trouble: Trouble = "patch") -> None:
        """Say that the state is no longer the room's; it stays readable, and the connection open."""
        self._settle(Disconnect("state lost", why, trouble))

    def _end(self, ended: Disconnect) -> None:
        """Note that the connection has ended; only the first end counts."""
        if not self.closed.done():
            self.closed.set_result(ended)
            self._events.close()
        self._settle(ended)

    def _settle(self, ended: Disconnect) -> None:
        """Settle everything that waits, at once."""
        if self.ended.done():
            return
        self.ended.set_result(ended)
        if not self._welcomed.done():
            self._welcomed.set_result(False)
        for waiting in self._pending.values():
            if not waiting.done():
                waiting.set_exception(self._disconnect_error(ended))

    @staticmethod
    def _disconnect_error(ended: Disconnect) -> ServiceError:
        if ended.reason == "kicked":
            return RemovedFromRoom("the bot was kicked from the room", service="room")
        detail = f" ({ended.detail})" if ended.detail else ""
        return ConnectionLost(f"the room connection ended: {ended.reason}{detail}", service="room")
