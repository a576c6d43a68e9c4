"""Writes down what happens in a simulated world, as the events of its history."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final, cast

from hangbot import Bot, Outbox, Step
from hangbot.sandbox import Sandbox
from pytest_hangfm.simulation import history as h
from pytest_hangfm.simulation.network import Network

__all__ = ["ANSWERED", "Recorder"]

ANSWERED: Final[ContextVar[tuple[int, int] | None]] = ContextVar("hangfm_answered", default=None)
"""The row that is being handled, and the epoch of its number: what is said meanwhile answers it."""

_LEVELS: Final[dict[int, h.Level]] = {
    logging.WARNING: "WARNING",
    logging.ERROR: "ERROR",
    logging.CRITICAL: "CRITICAL",
}
_CHANGES: Final[dict[str, type[h.Opened | h.LetGo | h.Closed]]] = {
    "opened": h.Opened,
    "let go": h.LetGo,
    "closed": h.Closed,
}
_MOMENT: Final = 0.002
"""Seconds by which the times of the wires and of the journal differ, which counts whole milliseconds."""
_PASSED: Final = ("lines", "missed")
_STILL: Final = 300.0
"""Seconds after which health changes no more if nothing else does: longer than all that it waits for."""
_SELDOM: Final = 10.0
"""Seconds between two looks at health then."""


class Recorder(logging.Handler):
    """Takes the bot's steps, log and health, and what its services see.

    Args:
        sandbox: The services.
        folder: A path that stands in log lines and is another in each run; it is written as ``FOLDER``.

    Attributes:
        events: What happened so far.
        output: All that the bot wrote.
        epoch: How often the chat began to number its rows anew.
        run: Which process of the bot this is.
    """

    def __init__(self, sandbox: Sandbox, folder: str) -> None:
        super().__init__(logging.INFO)
        self.events: list[h.Event] = []
        self.output: list[str] = []
        self.epoch = 0
        self.run = 0
        self._sandbox = sandbox
        self._folder = folder
        self._loop = asyncio.get_running_loop()
        self._epochs: list[int] = []
        self._seen = sandbox.journal.last_n
        self._tries = self._websockets = self._lates = 0
        self._attempted: dict[str, list[float]] = defaultdict(list)
        self._late_at: list[float] = []
        self._present = False
        self._health: tuple[int, bool, bool, tuple[str, ...]] | None = None
        self._changed_at = self._asked_at = 0.0
        self._bot = sandbox.bot.uid
        sandbox.chat.world.store.on_new = self._stored

    @property
    def now(self) -> float:
        """Virtual seconds since the world began."""
        return self._loop.time()

    def add(self, event: h.Event) -> None:
        """Write an event down."""
        self.events.append(event)
        if not isinstance(event, h.Tried | h.Logged):  # these go on for as long as an outage
            self._changed_at = self.now

    def repeatable(self, text: str) -> str:
        """Return a text without what is another in each run."""
        return text.replace(self._folder, "FOLDER")

    def begin_epoch(self) -> None:
        """Note that the chat numbers its rows anew from now on; nothing is said in the two seconds after."""
        self.epoch += 1
        self._epochs.append(int(self._sandbox.clock.now_s()))

    def epoch_at(self, sent_at: float) -> int:
        """Return in which epoch a line was sent, by its whole seconds."""
        return sum(sent_at > begun for begun in self._epochs)

    # -- the bot

    def step(self, step: Step) -> None:
        """Take what delivery notes."""
        match step.kind:
            case "accepted":
                answered = ANSWERED.get()
                self.add(
                    h.Accepted(
                        self.now, step.id, "", direct=False, text="", answer_to=answered and answered[0]
                    )
                )
            case "attempt":
                self.add(h.Attempted(self.now, step.id, step.attempt))
                self._attempted[step.id].append(self.now)
            case "asked":
                found = {"it arrived": True, "it did not arrive": False}.get(step.detail)
                self.add(h.Asked(self.now, step.id, found))
            case "settled" if step.settlement:
                end = step.settlement
                state = cast("h.EndState", end.state)
                self.add(h.Settled(self.now, step.id, state, end.tier, self.repeatable(end.reason)))
                self.output += [end.reason, end.remedy]

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line of the log."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            text += f" ({type(record.exc_info[1]).__name__}: {record.exc_info[1]})"
        text = self.repeatable(text)
        self.output.append(text)
        action = str(getattr(record, "action", ""))
        if record.levelno >= logging.WARNING:
            self.add(h.Logged(self.now, _LEVELS[record.levelno], text, action))
        for name in _PASSED:
            if action in ("chat_passed_over", "chat_gap") and hasattr(record, name):
                self.add(h.PassedOver(self.now, int(getattr(record, name))))
        if action == "chat_joined":
            self.add(h.Hearing(self.now, self.run))
        if action == "chat_unreadable":
            self.add(h.PassedOver(self.now, 1))

    def look(self, bot: Bot | None, network: Network, room_port: int) -> None:
        """Take what can be asked for: health, who is in the room, what the wires carried."""
        if bot is not None and self._is_due():
            self._look_at(bot)
        present = self._bot in self._sandbox.room
        if present != self._present:
            self._present = present
            self.add(h.Presence(self.now, present))
        tries, websockets, late = network.tries, network.websockets, network.late
        for at, port, ok in tries[self._tries :]:
            if port == room_port:
                self.add(h.Tried(at, "room", ok))
        self._tries = len(tries)
        for at, change, port, client in websockets[self._websockets :]:
            self.add(_CHANGES[change](at, "room" if port == room_port else "chat", client))
        self._websockets = len(websockets)
        for at, port, _ in late[self._lates :]:
            if port != room_port:
                self._late_at.append(at)
        self._lates = len(late)
        events, truncated = self._sandbox.journal.since(self._seen)
        if truncated:
            raise RuntimeError("the journal was read too late: events of it are lost")
        for row in events:
            self._seen = row["n"]
            self._take(row)

    def _is_due(self) -> bool:
        """Return whether to ask for health: seldom in the hours of an outage, which would cost the most."""
        return self.now - self._changed_at < _STILL or self.now - self._asked_at >= _SELDOM

    def _look_at(self, bot: Bot) -> None:
        health = bot.health()
        self._asked_at = self.now
        seen = (self.run, health.live, health.ready, tuple(condition.part for condition in health.red))
        if seen != self._health:
            self._health = seen
            self.add(h.HealthSeen(self.now, *seen))
            self.output += [str(condition) for condition in health.red]

    def waits(self) -> bool:
        """Return whether something that was accepted has not ended yet, or a handler runs."""
        accepted, ended = dict[str, int](), dict[str, int]()
        for place, event in enumerate(self.events):
            match event:
                case h.Accepted(id=id_) | h.Requeued(id=id_):
                    accepted[id_] = place
                case h.Settled(id=id_) | h.Dropped(id=id_):
                    ended[id_] = place
                case _:
                    pass
        return any(ended.get(id_, -1) < place for id_, place in accepted.items())

    # -- the services

    def _stored(self, row: Mapping[str, Any]) -> None:
        """Take a row that the chat stores: the bot's, or a line of another user."""
        if row.get("category") != "message":
            return
        direct = row["receiverType"] == "user"
        text = str(row.get("data", {}).get("text", ""))
        if row["sender"] == self._bot:
            self.add(
                h.MessageStored(
                    self.now, str(row.get("muid")), row["id"], row["receiver"], direct, text, self.epoch
                )
            )
        elif not direct or row["receiver"] == self._bot:
            self.add(h.Said(self.now, row["id"], row["sender"], row["receiver"], direct, text, self.epoch))

    def _take(self, row: Mapping[str, Any]) -> None:
        at = self._at(row)
        if row["kind"] == "http" and row["service"] == "chat" and row["dir"] == "in":
            body = row.get("body")
            if row["method"] == "POST" and str(row["path"]).endswith("/messages") and isinstance(body, dict):
                key = str(body.get("muid"))
                made_at = (begun for begun in self._attempted[key] if at <= begun <= at + _MOMENT)
                at = next(made_at, at)  # a request is not to stand before what led to it
                if any(abs(at - late) <= _MOMENT for late in self._late_at):
                    self.add(h.Late(at, key, row["n"]))
                self.add(h.Requested(at, key, row["n"]))

    def _at(self, row: Mapping[str, Any]) -> float:
        """Return the virtual time of a row, whose own is whole milliseconds: rather early than late.

        What comes of a request is not to stand before it.
        """
        passed: int = self._sandbox.clock.now_ms() - row["t_ms"]
        return max(0.0, self.now - passed / 1000 - _MOMENT / 2)

    # -- the end

    async def rows(self, outbox: Outbox) -> None:
        """Take what the outbox holds at the end, and with it what was in the messages that were accepted."""
        known = {row.message.id: row.message for row in await outbox.rows()}
        for place, event in enumerate(self.events):
            if isinstance(event, h.Accepted) and event.id in known:
                message = known[event.id]
                self.events[place] = h.Accepted(
                    event.at, event.id, message.to, message.direct, message.text, event.answer_to
                )
        for row in await outbox.rows():
            self.add(h.RowAtEnd(self.now, row.message.id, row.state))

    def history(self, bounds: h.Bounds, secrets: tuple[str, ...]) -> h.History:
        """Return all of it, in the order of time."""
        ordered = sorted(self.events, key=_at)
        return h.History(
            tuple(ordered),
            bounds,
            bot=self._bot,
            group=self._sandbox.room_uuid,
            names={person.uid: person.nickname for person in self._sandbox.people},
            secrets=secrets,
            output=tuple(dict.fromkeys(filter(None, self.output))),
        )


def _at(event: h.Event) -> float:
    return event.at
