"""Who hears what: room messages, responses, and what faults make of them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.faults import Fault, Faults
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.room import primus
from hangbot.sandbox.room.connection import RoomConnection
from hangbot.sandbox.room.room import Room
from hangbot.sandbox.room.state import RoomMessage

__all__ = ["GARBAGE", "Delivery"]

_SERVER: Final = "0"
"""``from`` of what the server itself broadcasts (captured from ActionHero 29.3.5)."""

GARBAGE: Final = "<html><body>502 Bad Gateway</body></html>"


class Delivery:
    """Puts frames on connections, unless a fault has it otherwise.

    Args:
        faults: What goes wrong.
        journal: Where everything is written.
        clock: The sandbox's clock.
    """

    def __init__(self, faults: Faults, journal: Journal, clock: SandboxClock) -> None:
        self._faults = faults
        self._journal = journal
        self._clock = clock
        self.rooms: defaultdict[str, dict[RoomConnection, int]] = defaultdict(dict)
        """The connections in each room, by its uuid, with when they joined (ms)."""

    def members(self, room: Room) -> dict[RoomConnection, int]:
        """The connections in a room, with when they joined."""
        return self.rooms[room.uuid]

    def tell(self, room: Room, messages: Iterable[RoomMessage], *, but: RoomConnection | None = None) -> None:
        """Deliver a room's messages, each written once for everybody."""
        for message in messages:
            if message.to is not None:
                for conn in tuple(self.members(room)):
                    if conn.uid == message.to:
                        self.send_to(conn, room, message.body())
                continue
            text = self._envelope(room.uuid, message.body(), _SERVER)
            frame = primus.text_frame(text)
            for conn in tuple(self.members(room)):
                if conn is not but:
                    self.send(conn, text, frame, "room.message")

    def send(self, conn: RoomConnection, text: str, frame: bytes | None, point: str) -> None:
        """Deliver one frame, unless a fault of that point has it otherwise."""
        fault = self._faults.take(point) if self._faults.armed and conn.is_open else None
        if fault is None:
            conn.push(text, frame)
        else:
            self.spoil(conn, text, fault)

    def send_to(
        self, conn: RoomConnection, room: Room, body: dict[str, Any], *, sent_at: bool = True
    ) -> None:
        """A room message for one connection, in the form that direct ones have."""
        envelope: dict[str, Any] = {"context": "user", "from": _SERVER, "room": room.uuid}
        if sent_at:
            envelope["sentAt"] = self._clock.now_ms()
        self.send(conn, primus.encode({**envelope, "message": body}), None, "room.message")

    def _envelope(self, uuid: str, message: object, sender: str) -> str:
        # Put together by hand: this is written for every message of every room.
        return (
            f'{{"message":{primus.encode(message)},"room":{primus.encode(uuid)},"from":"{sender}",'
            f'"context":"user","sentAt":{self._clock.now_ms()}}}'
        )

    def respond(self, conn: RoomConnection, text: str, fault: Fault | None) -> None:
        """An action's response, or what its fault makes of it."""
        if fault is None:
            conn.push(text)
        else:
            self.spoil(conn, text, fault)

    def spoil(self, conn: RoomConnection, text: str, fault: Fault) -> None:
        """What a fault makes of one outgoing frame."""
        match fault.do:
            case "drop" | "hang":
                self.note(conn, fault, text)
            case "duplicate":
                conn.push(text, fault=fault.id)
                conn.push(text, fault=fault.id)
            case "reorder":
                conn.hold_back(text, fault.id)
            case "delay":
                self._clock.call_later((fault.ms or 0) / 1000, lambda: conn.push(text, fault=fault.id))
            case "garbage" | "status":
                conn.push(_spoiled(text, fault), fault=fault.id)
            case _:
                self.end(conn, fault)

    def end(self, conn: RoomConnection, fault: Fault) -> None:
        """End a connection in the fault's own way."""
        if fault.do in {"close", "close_deliberate"}:
            conn.finish(deliberate=fault.do == "close_deliberate", fault=fault.id)
        else:
            conn.abort(fault.id)

    def note(self, conn: RoomConnection, fault: Fault, text: str = "") -> None:
        """What a fault kept from going out stands in the journal, as not sent."""
        self._journal.record(
            "room",
            "out",
            "frame",
            fault=fault.id,
            conn=conn.number,
            uid=conn.uid,
            frame=text,
            sent=False,
            deed=fault.do,
        )

    def say(self, conn: RoomConnection, uuid: str, text: str) -> None:
        """ActionHero's ``say``: a plain text to everybody, after the verb's own answer."""
        envelope = self._envelope(uuid, text, conn.hero_id)
        asyncio.get_running_loop().call_soon(self._send_all, uuid, envelope, primus.text_frame(envelope))

    def _send_all(self, uuid: str, text: str, frame: bytes) -> None:
        for member in tuple(self.rooms.get(uuid, ())):
            self.send(member, text, frame, "room.message")


def _spoiled(text: str, fault: Fault) -> str:
    """Garbage: the fault's text as it is, or its body in the place of a room message's ``message``."""
    if isinstance(fault.body, str):
        return fault.body
    if fault.body is None:
        return GARBAGE
    envelope = primus.decode(text)
    if not isinstance(envelope, dict) or envelope.get("context") != "user":
        return primus.encode(fault.body)
    return primus.encode({**envelope, "message": fault.body})
