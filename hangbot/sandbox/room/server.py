"""The room socket: Primus and ActionHero on 127.0.0.1.

Three layers: this server (handshake, heartbeat, endings), ``RoomDesk``
(what a frame asks for and who hears what), and ``Room`` (the rules).
"""

import asyncio
from typing import Final

from websockets.http11 import Response

from hangbot.sandbox.clock import SandboxClock, TimerHandle
from hangbot.sandbox.faults import Faults
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.people import People
from hangbot.sandbox.room import primus
from hangbot.sandbox.room.connection import RoomConnection
from hangbot.sandbox.room.handler import RoomDesk
from hangbot.sandbox.room.handshake import Handshake
from hangbot.sandbox.room.rooms import Rooms

__all__ = ["RoomServer"]

_SETTLE_S: Final = 0.2


class RoomServer:
    """Accepts room clients, sends heartbeats, ends connections in every way there is.

    Args:
        people: Whose tokens are good.
        rooms: The rooms.
        faults: What goes wrong.
        journal: Where everything is written.
        clock: The sandbox's clock.
        ids: Where ids of connections and messages come from.
    """

    def __init__(
        self,
        people: People,
        rooms: Rooms,
        faults: Faults,
        journal: Journal,
        clock: SandboxClock,
        ids: Ids | None = None,
    ) -> None:
        self._ids = ids or Ids()
        self._variants = rooms.variants
        self._journal = journal
        self._clock = clock
        self._open: dict[RoomConnection, None] = {}
        self._heartbeat: TimerHandle | None = None
        self._quiet: asyncio.Event = asyncio.Event()
        self._handshake = Handshake(self, people, faults, journal, clock, variants=rooms.variants)
        self.handle = self._handshake.handle
        self.desk = RoomDesk(people, rooms, faults, journal, clock, self._ids)

    @property
    def connections(self) -> tuple[RoomConnection, ...]:
        """The open connections, oldest first."""
        return tuple(self._open)

    # -- life

    def open(self) -> None:
        """Start the heartbeat."""
        self._heartbeat = self._clock.call_every(self._variants.ping_interval_s, self.tick)

    def close(self) -> None:
        """Cut every connection and forget the timers; idempotent."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        self.desk.close()
        self.disconnect_all()

    def disconnect_all(self) -> None:
        """Cut every connection."""
        for conn in self.connections:
            conn.abort()

    # -- one connection

    def on_open(self, conn: RoomConnection) -> None:
        """Part of ``Hub``: greet it."""
        conn.hero_id, conn.spark = self._ids.uuid(), primus.new_spark_id(self._ids)
        conn.connected_ms = self._clock.now_ms()
        self._open[conn] = None
        self._journal.record("room", "in", "open", conn=conn.number, uid=conn.uid)
        if conn.ending is not None:
            self.desk.delivery.end(conn, conn.ending)
        else:
            self.desk.greet(conn)

    def on_refused(self, conn: RoomConnection, response: Response) -> None:
        """Part of ``Hub``."""
        body = (response.body or b"").decode()
        self._journal.record("room", "out", "http", conn=conn.number, status=response.status_code, body=body)

    def on_data(self, conn: RoomConnection, data: bytes, *, binary: bool) -> None:
        """Part of ``Hub``."""
        self.desk.on_data(conn, data, binary=binary)
        if not self._quiet.is_set() and all(other.alive for other in self._open):
            self._quiet.set()

    def on_out(self, conn: RoomConnection, text: str, fault: int | None) -> None:
        """Part of ``Hub``."""
        self._journal.frame("out", conn.number, conn.uid, text, fault)

    def on_closing(self, conn: RoomConnection, how: str, fault: int | None) -> None:
        """Part of ``Hub``."""
        code = 1006 if how == "abort" else None
        self._journal.record(
            "room", "out", "close", fault=fault, conn=conn.number, uid=conn.uid, how=how, code=code
        )

    def on_lost(self, conn: RoomConnection) -> None:
        """Part of ``Hub``."""
        if self._open.pop(conn, self) is self:
            return
        self.desk.on_lost(conn)
        self._journal.record("room", "in", "close", conn=conn.number, uid=conn.uid, code=conn.close_code)
        self._quiet.set()

    # -- heartbeat

    def tick(self) -> None:
        """One beat for all: who gave no sign of life since the last is closed, the others are pinged."""
        # A process that slept shows the time to which it woke: whoever reads it knows how long that was.
        ping = primus.ping(self._clock.arrival_ms())
        frame = primus.text_frame(ping)
        self._quiet.clear()
        for conn in self.connections:
            if not conn.is_open:
                continue
            if not conn.alive:
                # A ping that has not even left (the clock was advanced twice in one go) kills nobody.
                if not conn.ping_waits:
                    conn.finish()
                continue
            conn.alive, conn.ping_waits = False, True
            self.desk.delivery.send(conn, ping, frame, "room.ping")

    async def settle(self, within: float = _SETTLE_S) -> None:
        """Wait until everybody has answered the last ping, but not long."""
        if any(not conn.alive for conn in self._open):
            try:
                await asyncio.wait_for(self._quiet.wait(), within)
            except TimeoutError:
                return
