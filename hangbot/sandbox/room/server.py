"""The room socket: Primus and ActionHero on 127.0.0.1, wired bottom up."""

from hangbot.sandbox.room import primus
from hangbot.sandbox.room.actions import Actions
from hangbot.sandbox.room.broadcast import Broadcaster
from hangbot.sandbox.room.connection import RoomConnection
from hangbot.sandbox.room.context import RoomContext
from hangbot.sandbox.room.departures import Departures
from hangbot.sandbox.room.endings import Endings
from hangbot.sandbox.room.handler import FrameHandler
from hangbot.sandbox.room.handshake import Handshake
from hangbot.sandbox.room.heartbeat import Heartbeat
from hangbot.sandbox.room.verbs import Verbs
from hangbot.web.http import Request, Response

__all__ = ["RoomServer"]


class RoomServer:
    """Accepts room clients; it is what their connections report to (a ``ConnectionListener``).

    Args:
        context: The surroundings.

    Attributes:
        broadcaster: Sends what happens in rooms.
        endings: What moderators, time and the service do to those who are in a room.
        actions: Runs actions.
        heartbeat: Pings, and closes what does not answer.
        on_message: Handles a message of a connection.
    """

    def __init__(self, context: RoomContext) -> None:
        self._context = context
        self.broadcaster = Broadcaster(context)
        self._departures = Departures(context, self.broadcaster)
        self.endings = Endings(context, self.broadcaster, self._departures)
        self.heartbeat = Heartbeat(context)
        self.actions = Actions(context)
        verbs = Verbs(context.rooms, self.broadcaster, self._departures)
        self._handler = FrameHandler(
            context, self.actions, verbs, self.broadcaster, self._departures, self.heartbeat
        )
        self.on_message = self._handler.on_message
        self._handshake = Handshake(context, self)

    @property
    def connections(self) -> tuple[RoomConnection, ...]:
        """The open connections, oldest first."""
        return self.heartbeat.connections

    # -- life

    def open(self) -> None:
        """Start the heartbeat."""
        self.heartbeat.start()

    def close(self) -> None:
        """Cut every connection and forget the timers; idempotent."""
        self.heartbeat.stop()
        self.cancel_timers()
        self.disconnect_all()

    def cancel_timers(self) -> None:
        """Forget the ends of songs and who is leaving."""
        self.broadcaster.close()
        self._departures.close()

    def disconnect_all(self) -> None:
        """Cut every connection."""
        for conn in self.connections:
            conn.end("abort")

    async def handle(self, request: Request) -> Response | None:
        """Answer a request, or make it a connection."""
        return await self._handshake.handle(request)

    # -- what connections report

    def on_open(self, conn: RoomConnection, /) -> None:
        """Part of ``ConnectionListener``."""
        ids = self._context.ids
        conn.hero_id, conn.spark = ids.uuid(), primus.new_spark_id(ids)
        conn.connected_ms = self._context.clock.now_ms()
        self.heartbeat.add(conn)
        self._context.journal.record("room", "in", "open", conn=conn.number, uid=conn.uid)
        if conn.ending is not None:
            conn.end(*conn.ending)
        else:
            self._handler.send_welcome(conn)

    def on_refused(self, conn: RoomConnection, status: int, body: str, /) -> None:
        """Part of ``ConnectionListener``."""
        self._context.journal.record("room", "out", "http", conn=conn.number, status=status, body=body)

    def on_ping(self, conn: RoomConnection, /) -> None:
        """Part of ``ConnectionListener``: Primus counts ping frames as life; pong frames it does not."""
        self.heartbeat.on_life(conn)

    def on_sent(self, conn: RoomConnection, text: str, fault: int | None, /) -> None:
        """Part of ``ConnectionListener``."""
        self._context.journal.frame("out", conn.number, conn.uid, text, fault)

    def on_slow_reader(self, conn: RoomConnection, /) -> None:
        """Part of ``ConnectionListener``: a reader that is 64 MiB behind is cut off."""
        conn.end("abort")

    def on_closed(self, conn: RoomConnection, /) -> None:
        """Part of ``ConnectionListener``: its user lingers for a while in the rooms that it was in."""
        self.heartbeat.remove(conn)
        for uuid in tuple(conn.rooms):
            self._departures.leave_room(conn, uuid)
        self._context.journal.record(
            "room", "in", "close", conn=conn.number, uid=conn.uid, code=conn.close_code
        )
