"""What frames ask for, and who hears what: between the wire and the rooms."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from websockets.frames import CloseCode

from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.faults import Fault, Faults
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.people import People
from hangbot.sandbox.room import actionhero, primus
from hangbot.sandbox.room.actionhero import BadInput, Call, Verb
from hangbot.sandbox.room.actions import Actions, Outcome
from hangbot.sandbox.room.broadcast import GARBAGE, Delivery
from hangbot.sandbox.room.connection import RoomConnection
from hangbot.sandbox.room.room import NOTHING_PLAYS, ActionRefused, Room, RoomMessage
from hangbot.sandbox.room.rooms import Rooms
from hangbot.sandbox.room.timers import RoomTimers
from hangbot.sandbox.room.verbs import VerbFailed, Verbs

__all__ = ["RoomDesk"]

_SHOWN_BYTES: Final = 4096


class RoomDesk:
    """Runs actions and verbs, delivers responses and room messages, keeps the rooms' timers.

    Args:
        people: Whose tokens are good.
        rooms: The rooms.
        faults: What goes wrong.
        journal: Where everything is written.
        clock: The sandbox's clock.
        ids: Where a message without an id has one from.
    """

    def __init__(
        self, people: People, rooms: Rooms, faults: Faults, journal: Journal, clock: SandboxClock, ids: Ids
    ) -> None:
        self._new_id = ids.uuid
        self._rooms = rooms
        self._variants = rooms.variants
        self._faults = faults
        self._journal = journal
        self._clock = clock
        self._due: deque[tuple[RoomConnection, Call]] = deque()
        self._written: dict[str, tuple[dict[str, Any], str]] = {}
        self.delivery = Delivery(faults, journal, clock)
        self._timers = RoomTimers(rooms, clock, self.tell)
        self._verbs = Verbs(self._exists, self.delivery.rooms, self._enter, self._leave, self.delivery.say)
        self.actions = Actions(people, rooms, clock)

    def close(self) -> None:
        """Forget the timers."""
        self._timers.close()

    # -- in

    def greet(self, conn: RoomConnection) -> None:
        """Set the connection up, then send the welcome; frames that come before it are lost."""
        fault = self._faults.take("room.welcome")
        delay_ms = self._variants.setup_ms
        if fault is not None and fault.do == "delay":
            delay_ms = fault.ms or 0
        if fault is not None and fault.do == "hang":
            self.delivery.note(conn, fault)
            conn.early = None
        elif delay_ms > 0:
            conn.early = None
            self._clock.call_later(delay_ms / 1000, lambda: self._welcome(conn, fault))
        else:
            self._welcome(conn, fault)

    def _welcome(self, conn: RoomConnection, fault: Fault | None) -> None:
        conn.listening = True
        text = primus.encode({"welcome": self._variants.welcome, "context": "api"})
        if fault is not None and fault.do == "delay":
            conn.push(text, fault=fault.id)
        elif fault is not None:
            self.delivery.spoil(conn, text, fault)
        elif self._variants.welcome is not None:
            conn.push(text)
        early, conn.early = conn.early or [], None
        for data, binary in early:
            self.on_data(conn, data, binary=binary)

    def on_data(self, conn: RoomConnection, data: bytes, *, binary: bool) -> None:
        """A whole message arrived; whatever it is, it harms no other connection."""
        if binary:
            text, value = f"<{len(data)} bytes>", _buffer(data)
        else:
            try:
                text = data.decode()
            except UnicodeDecodeError:
                conn.fail(CloseCode.INVALID_DATA)
                return
            value = None
        if not conn.listening and conn.early is not None:
            conn.early.append((data, binary))
            return
        self._journal.frame("in", conn.number, conn.uid, text)
        try:
            self._on_value(conn, primus.decode(text) if value is None else value)
        except primus.Unreadable:
            return
        except RecursionError:  # nested as deep as JSON can be read, and too deep to be written
            conn.abort()

    def _on_value(self, conn: RoomConnection, value: object) -> None:
        if value is None:
            conn.abort()  # an unguarded ActionHero process would exit here, for everyone
        elif primus.is_pong(value):
            conn.alive = True
        elif primus.is_id_request(value):
            conn.push(primus.spark_id(conn.spark))
        elif conn.listening:
            asked = actionhero.parse(value, self._new_id)
            if isinstance(asked, Call):
                self._accept(conn, asked)
            else:
                self._do_verb(conn, asked)

    def on_lost(self, conn: RoomConnection) -> None:
        """The connection is gone: its user lingers for a while in the rooms that it was in."""
        for uuid in tuple(conn.rooms):
            self._leave(conn, uuid)

    # -- actions

    def _accept(self, conn: RoomConnection, call: Call) -> None:
        conn.pending += 1
        conn.total += 1
        if conn.pending > actionhero.PENDING_LIMIT:
            conn.pending -= 1
            self._answer(conn, {"error": actionhero.TOO_MANY}, call)
        elif self._variants.action_ms > 0:
            self._clock.call_later(self._variants.action_ms / 1000, lambda: self._run(conn, call))
        else:
            # Not now: the frames that came in the same read count as pending together.
            if not self._due:
                asyncio.get_running_loop().call_soon(self._run_due)
            self._due.append((conn, call))

    def _run_due(self) -> None:
        due = self._due
        try:
            while due:
                self._run(*due.popleft())
        finally:
            if due:
                asyncio.get_running_loop().call_soon(self._run_due)

    def _run(self, conn: RoomConnection, call: Call) -> None:
        try:
            self._carry_out(conn, call)
        except (
            RecursionError
        ):  # an id or a song nested as deep as JSON can be read, and too deep to be written
            conn.abort()

    def _carry_out(self, conn: RoomConnection, call: Call) -> None:
        if not conn.is_open:
            return  # its client went away before it was carried out
        fault = self._faults.take("room.joinRoom" if call.action == "joinRoom" else "room.action")
        if fault is not None and self._prevented(conn, call, fault):
            return
        conn.pending -= 1
        try:
            outcome = self.actions.execute(conn, call)
        except (ActionRefused, BadInput) as refusal:
            outcome = Outcome({"error": str(refusal)})
        if outcome.joined and outcome.room is not None and conn.uid is not None:
            self._timers.stay(outcome.room, conn.uid)
            self._enter(conn, outcome.room.uuid)
        text = self._response(outcome, call)
        if outcome.room is not None and not self._variants.response_first and not outcome.joined:
            self.tell(outcome.room, outcome.messages)
            self.delivery.respond(conn, text, fault)
            return
        self.delivery.respond(conn, text, fault)
        if outcome.room is not None:
            silent = conn if outcome.joined and not self._variants.own_user_joined else None
            self.tell(outcome.room, outcome.messages, but=silent)
        if outcome.joined and outcome.room is not None:
            self._introduce(conn, outcome.room)

    def _response(self, outcome: Outcome, call: Call) -> str:
        """The response's text; the server's state in it is written once for as long as it stays the same."""
        room, fields = outcome.room, outcome.fields
        if room is None or outcome.joined:
            return primus.encode(actionhero.response(fields, call.id))
        answer_to = call.id if type(call.id) is int else primus.encode(call.id)
        if not fields:
            return f'{{"context":"response","messageId":{answer_to}}}'
        written = self._written.get(room.uuid)
        if written is None or written[0] is not fields:
            written = self._written[room.uuid] = (fields, primus.encode(fields)[:-1])
        return f'{written[1]},"context":"response","messageId":{answer_to}}}'

    def _prevented(self, conn: RoomConnection, call: Call, fault: Fault) -> bool:
        """Faults that keep an action from being carried out."""
        match fault.do:
            case "hang":
                self.delivery.note(conn, fault)  # and it stays pending, as an action that never ends does
                return True
            case "refuse" | "cut_before_store":
                conn.abort(fault.id)
            case "status":
                error = "Service unavailable" if fault.body is None else fault.body
                fields = error if isinstance(error, dict) else {"error": error}
                conn.push(primus.encode(actionhero.response(fields, call.id)), fault=fault.id)
            case "garbage":
                conn.push(fault.body if isinstance(fault.body, str) else GARBAGE, fault=fault.id)
            case _:
                return False
        conn.pending -= 1
        return True

    def _introduce(self, conn: RoomConnection, room: Room) -> None:
        """``updatedUserData``: the profiles, to the joiner alone."""

        def send() -> None:
            if room.uuid not in conn.rooms or self._rooms.get(room.uuid) is not room:
                return  # it has left meanwhile, or the room is another
            body = RoomMessage("updatedUserData", room.profiles()).body()
            self.delivery.send_to(conn, room, body, sent_at=self._variants.profiles_sent_at)

        if self._variants.profiles_ms > 0:
            self._clock.call_later(self._variants.profiles_ms / 1000, send)
        else:
            send()

    # -- verbs

    def _do_verb(self, conn: RoomConnection, verb: Verb) -> None:
        if verb.name in {"quit", "exit"}:
            conn.finish(deliberate=True)
        elif verb.name == "file":
            conn.push(primus.encode(actionhero.file_answer(verb.id)))
        else:
            try:
                data = self._verbs.run(conn, verb, allowed=self._variants.verbs)
            except VerbFailed as failed:
                answer = actionhero.verb_failed(verb, str(failed), kind=failed.kind)
            else:
                answer = actionhero.verb_ok(data, verb.id)
            conn.push(primus.encode(answer))

    def _exists(self, uuid: str) -> bool:
        return self._rooms.get(uuid) is not None

    def _enter(self, conn: RoomConnection, uuid: str) -> None:
        now_ms = self._clock.now_ms()
        conn.rooms.setdefault(uuid, now_ms)
        self.delivery.rooms[uuid].setdefault(conn, now_ms)

    def _leave(self, conn: RoomConnection, uuid: str) -> None:
        conn.rooms.pop(uuid, None)
        self.delivery.rooms[uuid].pop(conn, None)
        room = self._rooms.get(uuid)
        if room is not None and conn.uid is not None and room.release(conn.uid, conn.hold):
            self._timers.linger(room, conn.uid)

    # -- out

    def tell(self, room: Room, messages: Iterable[RoomMessage], *, but: RoomConnection | None = None) -> None:
        """Deliver a room's messages, and see to the end of the song that may have begun."""
        self.delivery.tell(room, messages, but=but)
        self._timers.watch_song(room)

    def expel(self, room: Room, uid: str, *, ban: bool = False) -> None:
        """Kick or ban: told so, then closed deliberately, every connection of that user."""
        now_ms = self._clock.now_ms()
        self.tell(room, room.kick(uid, now_ms, ban=ban))
        theirs = [conn for conn in self.delivery.members(room) if conn.uid == uid]
        room.keep_only(uid, {conn.hold for conn in theirs})
        for conn in theirs:
            conn.finish(deliberate=self._variants.kick_deliberate)
        if not theirs:
            self.tell(room, room.leave(uid, now_ms))

    def forget(self, room: Room, uid: str) -> None:
        """Take a user out of the state although he is connected; everybody hears it, and so does he."""
        self.tell(room, room.leave(uid, self._clock.now_ms()))

    def silence(self, room: Room) -> None:
        """End the playing song and tell nobody.

        Raises:
            ActionRefused: Nothing is playing.
        """
        if room.song_ends_ms() is None:
            raise ActionRefused(NOTHING_PLAYS)
        room.next_song(self._clock.now_ms())
        self._timers.watch_song(room)

    def reset_room(self, room: Room) -> None:
        """Clear a room; every connection in it is told and closed deliberately."""
        self.tell(room, room.reset())
        self._timers.forget(room)
        for conn in tuple(self.delivery.members(room)):
            conn.finish(deliberate=self._variants.kick_deliberate)

    def _answer(self, conn: RoomConnection, fields: dict[str, Any], call: Call) -> None:
        conn.push(primus.encode(actionhero.response(fields, call.id)))


def _buffer(data: bytes) -> dict[str, Any]:
    """A binary message as Node shows it; Primus does not decode it, so it is no verb."""
    return {"type": "Buffer", "data": list(data[:_SHOWN_BYTES])}
