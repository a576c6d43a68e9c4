"""The room client: joins, acts with acknowledgements, and keeps the room's state.

One connection, from its welcome to its end. It does not reconnect: its holder opens another
(`hangbot.bot.services`), since after a lost connection only a new join gives the whole state
again. The same goes for a state that is no longer the room's: it stays readable, and the connection
stays open and heard, so that the bot stays in the room until the connection is replaced.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from websockets.exceptions import ConnectionClosed

from hangbot.bot.events import Event
from hangbot.bot.ports import Disconnect, Reason
from hangbot.clock import Clock
from hangbot.errors import JoinRefused, Refused, Unavailable, Unreachable, WireError
from hangbot.figures import Figures
from hangbot.hangfm.acks import PendingActions, disconnect_error, read_reply
from hangbot.hangfm.action import RoomAction
from hangbot.hangfm.replica import StateReplica
from hangbot.hangfm.socket import Connection, close_code
from hangbot.hangfm.song_watch import SongWatch
from hangbot.hangfm.wire import frames as wire
from hangbot.hangfm.wire.actions import check_name
from hangbot.hangfm.wire.events import RoomMessage
from hangbot.hangfm.wire.frames import Ping, Reply, ServerClosing, Unknown, Welcome
from hangbot.hangfm.wire.room_events import RoomEvents
from hangbot.hangfm.wire.state import RoomState

__all__ = ["RoomClient"]

logger = logging.getLogger(__name__)

_TASK_FAILED: Final = {"action": "task_failed"}


class RoomClient:
    """One connection to one room, over a borrowed websocket: a `hangbot.bot.ports.RoomSession`.

    Args:
        connection: The open websocket.
        room: The room's uuid.
        clock: Bounds every wait.
        ack_timeout: Seconds until an action counts as unanswered.
        silence: Seconds without a heartbeat until the connection counts as dead; the server
            pings every 30 s, the official client waits 45 s.
        on_message: Called with every room message, after its patch was applied where it fits. Must not block.
        guard: Called with an action's name before it is sent; what it raises keeps it from being sent.
        me: The bot's uid. A state that held it and does so no longer is lost: a room sends nothing to a
            client that it does not hold. A state that never held it proves nothing.
        events: Finds out what happened, over all connections of a bot; ``None``: it is not asked for.
        on_event: Called with what happened, in order. Must not block.
        figures: Count patches, and say when something was heard last.
    """

    def __init__(  # noqa: PLR0913  everything is handed in
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
        events: RoomEvents | None = None,
        on_event: Callable[[Event], None] = lambda _: None,
        figures: Figures | None = None,
    ) -> None:
        self.room = room
        self._connection = connection
        self._clock = clock
        self._silence = silence
        self._on_message = on_message
        self._guard = guard
        self._events = events
        self._on_event = on_event
        self._replica = StateReplica(me)
        self._pending = PendingActions(connection, clock, ack_timeout)
        self._slots = asyncio.Semaphore(wire.MAX_PENDING)
        self._welcomed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._figures = figures or Figures()
        self.heard_at = clock.now()
        self._figures.heartbeat.mark(self.heard_at)
        self._song = SongWatch(clock, lambda: self._replica.state, self._pending.ping_and_wait)
        self._disconnect_reason: Reason | None = None
        self.ended: asyncio.Future[Disconnect] = asyncio.get_running_loop().create_future()
        """Done when the connection has ended or its state was lost, with how."""
        self.closed: asyncio.Future[Disconnect] = asyncio.get_running_loop().create_future()
        """Done when the connection has ended, with how; it outlives a state that was lost."""

    @property
    def state(self) -> RoomState | None:
        """The room as it is, or, once `ended` is done, as it last was; ``None`` before the join."""
        return self._replica.state

    @property
    def clock_offset(self) -> float | None:
        """Seconds by which this machine's clock is ahead of the room's, or ``None``."""
        return self._song.clock_offset

    @property
    def joined(self) -> Mapping[str, Any] | None:
        """The answer to joinRoom without its state: ``serverTime`` (ms) and more."""
        return self._replica.joined

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["RoomClient"]:
        """Read frames and watch for silence, for as long as the block runs; then close."""
        tasks = [
            asyncio.create_task(self._read(), name="hangbot-room-reader"),
            asyncio.create_task(self._watch_heartbeat(), name="hangbot-room-watch"),
            asyncio.create_task(self._watch_song(), name="hangbot-room-song"),
        ]
        try:
            yield self
        finally:
            self._because("left")
            try:
                await self._connection.close()
            finally:
                for task in tasks:
                    task.cancel()
                for result in await asyncio.gather(*tasks, return_exceptions=True):
                    if isinstance(result, Exception):
                        logger.error(
                            "[ERROR] a task of the room connection failed",
                            exc_info=result,
                            extra=_TASK_FAILED,
                        )
                self._end(Disconnect(self._because("left")))

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
            raise disconnect_error(self.ended.result())
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
        except JoinRefused:  # removed from the room meanwhile
            raise
        except Refused as exc:
            raise JoinRefused(str(exc), service="room") from exc
        if self.state is None:
            raise Unavailable(f"the room {self.room} answered the join without its state", service="room")
        return self.state

    async def act(self, action: str, **params: object) -> Mapping[str, Any]:
        """Run an action once and return the fields of its answer.

        At most four are in flight; the others wait for a free slot. What the answer holds
        besides success is not to be relied on: production's is not known.

        Raises:
            UsageError: The action's name is misspelt, or a parameter is none that JSON can hold.
            Unreachable: The connection has ended before; nothing was sent.
            AckTimeout: No answer in time; it may have been carried out.
            ConnectionLost: The connection went; it may have been carried out.
            ServiceError: As `hangbot.hangfm.acks.read_reply` does.
        """
        check_name(action)
        async with self._slots:
            self._guard(action)
            if self.ended.done():
                reason = self.ended.result().reason
                raise Unreachable(
                    f"{action} was not sent: the room connection has ended ({reason})", service="room"
                )
            reply = await self._pending.request(action, {**params, "roomUuid": self.room})
        return read_reply(action, reply)

    def action(self, name: str, params: Mapping[str, Any], *, me: Callable[[], str]) -> RoomAction:
        """Return an action of this connection, for the song that plays now; ``me`` returns the bot's uuid."""
        return RoomAction(self, name, params, me)

    async def ping_and_wait(self) -> None:
        """Return when the server has read everything sent so far; see `PendingActions.ping_and_wait`."""
        await self._pending.ping_and_wait()

    async def _read(self) -> None:
        """Read until the end, and settle then whatever waits."""
        ended = Disconnect("lost")
        try:
            while True:
                await self._handle(await self._connection.recv())
        except ConnectionClosed as exc:
            # Primus closes without a code, which `websockets` calls orderly: any end is an end.
            ended = Disconnect(self._disconnect_reason or "lost", close_code(exc))
        finally:
            self._end(ended)

    async def _watch_heartbeat(self) -> None:
        """Treat a connection without heartbeats as dead: a cut cable sends nothing."""
        while (quiet := self._clock.now() - self.heard_at) < self._silence:
            await self._clock.sleep(self._silence - quiet)
        self._end(Disconnect(self._because("silent"), f"no heartbeat for {self._silence:g} s"))
        await self._connection.close()

    async def _watch_song(self) -> None:
        detail = await self._song.run()
        if detail:
            self._settle(Disconnect("state lost", detail, "song"))

    async def _handle(self, frame: str | bytes) -> None:
        try:
            event = wire.decode(frame)
        except WireError as exc:
            logger.warning("[SOCKET] passed over: %s", exc, extra={"action": "frame_unreadable"})
            return
        match event:
            case Ping():
                self.heard_at = self._clock.now()
                self._figures.heartbeat.mark(self.heard_at)
                self._song.set_time(event.number)
                await self._connection.send(wire.encode_pong(event))
            case RoomMessage():
                self._handle_message(event)
            case Reply():
                self._handle_reply(event)
            case Welcome():
                if not self._welcomed.done():
                    self._welcomed.set_result(True)
            case ServerClosing():
                self._because("closed by the server")
            case Unknown():
                logger.info(
                    "[SOCKET] passed over an unknown frame: %s",
                    event.summary,
                    extra={"action": "frame_unknown"},
                )

    def _handle_reply(self, reply: Reply) -> None:
        """Take the state in before the next frame is read, which may already be a patch of it.

        Once: a doubled answer would bring back an older state.
        """
        if self._pending.answers_join(reply) and reply.error is None:
            self._take_state(reply.fields)
        self._pending.resolve(reply)

    def _take_state(self, fields: Mapping[str, Any]) -> None:
        lost = self._replica.load(fields)
        if lost is not None:
            self._settle(lost)
        elif self.state is not None:
            self._song.hear()
            self._song.set_time(fields.get("serverTime"))
            for event in self._events.join(self.state) if self._events else ():
                self._on_event(event)

    def _handle_message(self, message: RoomMessage) -> None:
        if message.name == "kickedFromRoom":
            self._disconnect_reason = "kicked"
            self._end(Disconnect("kicked"))  # whether or not the server hangs up then
        elif message.name == "roomReset":
            self._disconnect_reason = "reset"
        self._figures.last_event.mark(self._clock.now(), "room")
        self._song.hear()
        patched = None
        if message.patch is not None:
            if self.state is None:
                return  # older than the state that is to come
            if not self.ended.done():
                if lost := self._replica.apply(message.patch):
                    self._settle(lost)
                else:
                    self._figures.patches.count()
                    patched = self.state
        crowd = self._replica.crowd
        for event in self._events.message(message, patched, crowd) if self._events else ():
            self._on_event(event)
        self._on_message(message)

    def _because(self, reason: Reason) -> Reason:
        """Note why the connection is about to end, and return it; only the first reason counts."""
        self._disconnect_reason = self._disconnect_reason or reason
        return self._disconnect_reason

    def _end(self, ended: Disconnect) -> None:
        """Note that the connection has ended; only the first end counts."""
        if not self.closed.done():
            self.closed.set_result(ended)
        self._settle(ended)

    def _settle(self, ended: Disconnect) -> None:
        """Settle everything that waits, at once. A lost state stays readable, and the connection open."""
        if self.ended.done():
            return
        self.ended.set_result(ended)
        if not self._welcomed.done():
            self._welcomed.set_result(False)
        self._pending.fail_all(ended)
