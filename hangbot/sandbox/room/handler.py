"""What frames ask for: heartbeat answers, actions, verbs."""

import asyncio
from collections import deque
from typing import Any, Final

from hangbot.sandbox.faults import Fault
from hangbot.sandbox.room import actionhero, primus
from hangbot.sandbox.room.actionhero import Call, Verb
from hangbot.sandbox.room.actions import Actions, Outcome
from hangbot.sandbox.room.broadcast import Broadcaster
from hangbot.sandbox.room.connection import GARBAGE, RoomConnection
from hangbot.sandbox.room.context import RoomContext
from hangbot.sandbox.room.departures import Departures
from hangbot.sandbox.room.heartbeat import Heartbeat
from hangbot.sandbox.room.inputs import BadInput
from hangbot.sandbox.room.responses import ResponseWriter
from hangbot.sandbox.room.room import Room
from hangbot.sandbox.room.state import ActionRefused
from hangbot.sandbox.room.verbs import VerbFailed, Verbs

__all__ = ["FrameHandler"]

_SHOWN_BYTES: Final = 4096


class FrameHandler:
    """Reads what clients send, and has it done.

    Args:
        context: The surroundings.
        actions: Runs actions.
        verbs: Runs verbs.
        broadcaster: Sends what comes of it.
        departures: Users who are leaving; one who joins stays.
        heartbeat: Is given signs of life.
    """

    def __init__(
        self,
        context: RoomContext,
        actions: Actions,
        verbs: Verbs,
        broadcaster: Broadcaster,
        departures: Departures,
        heartbeat: Heartbeat,
    ) -> None:
        self._variants = context.variants
        self._injector = context.injector
        self._journal = context.journal
        self._clock = context.clock
        self._new_id = context.ids.uuid
        self._actions = actions
        self._verbs = verbs
        self._broadcaster = broadcaster
        self._departures = departures
        self._heartbeat = heartbeat
        self._responses = ResponseWriter()
        self._due: deque[tuple[RoomConnection, Call]] = deque()

    # -- the welcome

    def send_welcome(self, conn: RoomConnection) -> None:
        """Set the connection up, then send the welcome; frames that come before it are lost."""
        before = self._injector.before_request("room.welcome", in_frames=True)
        if before.fault is not None and before.instead == "hang":
            conn.on_dropped("", before.fault)
            return
        after = self._injector.after_request(before.fault)
        delayed = after.end is None and after.wait_s > 0
        delay_s = after.wait_s if delayed else self._variants.setup_ms / 1000
        if delay_s > 0:
            self._clock.call_later(delay_s, lambda: self._welcome(conn, before.fault, delayed=delayed))
        else:
            self._welcome(conn, before.fault, delayed=delayed)

    def _welcome(self, conn: RoomConnection, fault: Fault | None, *, delayed: bool) -> None:
        conn.listening = True
        text = primus.encode({"welcome": self._variants.welcome, "context": "api"})
        if fault is not None and delayed:
            conn.send(text, fault=fault.id)
        elif fault is not None:
            self._injector.send_faulty(conn, text, fault)
        elif self._variants.welcome is not None:
            conn.send(text)

    # -- in

    def on_message(self, conn: RoomConnection, message: str | bytes, /) -> None:
        """Handle a whole message; whatever it is, it harms no other connection."""
        text = message if isinstance(message, str) else f"<{len(message)} bytes>"
        self._journal.frame("in", conn.number, conn.uid, text)
        try:
            self._on_value(conn, primus.decode(text) if message is text else _buffer(message))
        except primus.Unreadable:
            return
        except RecursionError:  # nested as deep as JSON can be read, and too deep to be written
            conn.end("abort")

    def _on_value(self, conn: RoomConnection, value: object) -> None:
        if value is None:
            conn.end("abort")  # an unguarded ActionHero process would exit here, for everyone
        elif primus.is_pong(value):
            self._heartbeat.on_life(conn)
        elif primus.is_id_request(value):
            conn.send(primus.spark_id(conn.spark))
        elif conn.listening:
            asked = actionhero.parse(value, self._new_id)
            if isinstance(asked, Call):
                self._accept(conn, asked)
            else:
                self._run_verb(conn, asked)

    # -- actions

    def _accept(self, conn: RoomConnection, call: Call) -> None:
        conn.pending += 1
        conn.total += 1
        if conn.pending > actionhero.PENDING_LIMIT:
            conn.pending -= 1
            conn.send(self._responses.failed(actionhero.TOO_MANY, call))
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
            self._run_action(conn, call)
        except RecursionError:  # an id or a song nested as deep as can be read, and too deep to be written
            conn.end("abort")

    def _run_action(self, conn: RoomConnection, call: Call) -> None:
        if not conn.is_open:
            return  # its client went away before it was run
        point = "room.joinRoom" if call.action == "joinRoom" else "room.action"
        before = self._injector.before_request(point, in_frames=True, name=call.action)
        if before.fault is not None:
            match before.instead:
                case "hang":  # it stays pending, as an action that never ends does
                    conn.on_dropped("", before.fault)
                    return
                case "cut":
                    conn.end("abort", before.fault.id)
                case "status":
                    body = before.fault.body
                    error = "Service unavailable" if body is None else body
                    conn.send(self._responses.failed(error, call), fault=before.fault.id)
                case "garbage":
                    body = before.fault.body
                    conn.send(body if isinstance(body, str) else GARBAGE, fault=before.fault.id)
        conn.pending -= 1
        if before.instead is None:
            self._send_outcome(conn, call, self._outcome(conn, call), before.fault)

    def _outcome(self, conn: RoomConnection, call: Call) -> Outcome:
        try:
            return self._actions.run(conn, call)
        except (ActionRefused, BadInput) as refusal:
            return Outcome({"error": str(refusal)})

    def _send_outcome(self, conn: RoomConnection, call: Call, outcome: Outcome, fault: Fault | None) -> None:
        room = outcome.room
        if room is not None and outcome.joined:
            self._send_join(conn, call, outcome, room, fault)
            return
        text = self._responses.text(outcome, call)
        if room is not None and not self._variants.response_first:
            self._broadcaster.broadcast(room, outcome.messages)
        self._broadcaster.respond(conn, text, fault)
        if room is not None and self._variants.response_first:
            self._broadcaster.broadcast(room, outcome.messages)

    def _send_join(
        self, conn: RoomConnection, call: Call, outcome: Outcome, room: Room, fault: Fault | None
    ) -> None:
        if conn.uid is not None:
            self._departures.stay(room, conn.uid)
            self._broadcaster.add_member(conn, room.uuid)
        self._broadcaster.respond(conn, self._responses.text(outcome, call), fault)
        silent = None if self._variants.own_user_joined else conn
        self._broadcaster.broadcast(room, outcome.messages, but=silent)
        self._broadcaster.send_profiles(conn, room)

    # -- verbs

    def _run_verb(self, conn: RoomConnection, verb: Verb) -> None:
        if verb.name in {"quit", "exit"}:
            conn.end("close_deliberate")
        elif verb.name == "file":
            conn.send(primus.encode(actionhero.file_answer(verb.id)))
        else:
            try:
                data = self._verbs.run(conn, verb, allowed=self._variants.verbs)
            except VerbFailed as failed:
                answer = actionhero.verb_failed(verb, str(failed), kind=failed.kind)
            else:
                answer = actionhero.verb_ok(data, verb.id)
            conn.send(primus.encode(answer))


def _buffer(data: str | bytes) -> dict[str, Any]:
    """Return a binary message as Node shows it; Primus does not decode it, so it is no verb."""
    return {"type": "Buffer", "data": list(data[:_SHOWN_BYTES])}
