"""The heartbeat: one timer for the whole server."""

import asyncio
from typing import Final

from hangbot.sandbox.clock import TimerHandle, happens_within
from hangbot.sandbox.room import primus
from hangbot.sandbox.room.connection import RoomConnection
from hangbot.sandbox.room.context import RoomContext
from hangbot.sandbox.websocket import text_frame

__all__ = ["Heartbeat"]

_QUIET_WITHIN_S: Final = 0.2


class Heartbeat:
    """Ping every connection at each beat, and close what gave no sign of life since the last.

    Args:
        context: The surroundings.
    """

    def __init__(self, context: RoomContext) -> None:
        self._context = context
        self._open: dict[RoomConnection, None] = {}
        self._timer: TimerHandle | None = None
        self._quiet = asyncio.Event()

    @property
    def connections(self) -> tuple[RoomConnection, ...]:
        """The open connections, oldest first."""
        return tuple(self._open)

    def start(self) -> None:
        """Beat from now on."""
        self._timer = self._context.clock.call_every(self._context.variants.ping_interval_s, self.tick)

    def stop(self) -> None:
        """Beat no more; idempotent."""
        if self._timer is not None:
            self._timer.cancel()

    def add(self, conn: RoomConnection) -> None:
        """Ping a connection, too."""
        self._open[conn] = None

    def remove(self, conn: RoomConnection) -> None:
        """Forget a connection that is gone."""
        self._open.pop(conn, None)
        self._quiet.set()

    def on_life(self, conn: RoomConnection) -> None:
        """Note a sign of life."""
        conn.alive = True
        if not self._quiet.is_set() and all(other.alive for other in self._open):
            self._quiet.set()

    def tick(self) -> None:
        """Beat once for all."""
        # A process that slept shows the time to which it woke: its reader knows how long that was.
        ping = primus.ping(self._context.clock.arrival_ms())
        frame = text_frame(ping)
        self._quiet.clear()
        for conn in self.connections:
            if not conn.is_open:
                continue
            if not conn.alive:
                # A ping that has not even left (the clock was advanced twice in one go) ends nothing.
                if not conn.ping_waits:
                    conn.end("close")
                continue
            conn.alive, conn.pinged_at = False, conn.socket.flushes
            self._context.injector.send_frame(conn, ping, "room.ping", frame)

    async def wait_until_quiet(self) -> None:
        """Wait until the last ping was answered by all, but not long."""
        if any(not conn.alive for conn in self._open):
            await happens_within(self._quiet, _QUIET_WITHIN_S)
