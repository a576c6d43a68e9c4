"""Plays the services as they were recorded, to a bot that may do something else.

A request is answered as the same request was then, after as long; the nth connection goes as the nth went.
What was not asked then is answered as the like of it was last; it shows as a difference.
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any, Final

from hangbot.clock import Clock
from hangbot.hangfm.played import Answer, Closed, Failure
from hangbot.incident.recording import Exchange, Happened, Line, Names, Recording, Said, kind_of
from hangbot.incident.starting import answer_of_a_start, start_of_a_line

__all__ = ["RecordedPlayer"]

_REFUSED: Final = 111
_PATIENCE: Final = 5.0
"""Seconds for which an answer is kept back for a frame of the bot that does not come."""
_AHEAD: Final = 1.0
"""Seconds by which a bot may be ahead of the recorded one, where it is answered by the time."""
_LEFT_OUT: Final = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection"})
_PONG: Final = {"action": "pong"}
_UNKNOWN: Final = b'{"error":{"code":"ERR_OPERATION_FAILED","message":"nothing like it was recorded"}}'


class RecordedPlayer:
    """A `hangbot.hangfm.played.Player` over a recording.

    Args:
        recording: What is played; its time 0 is the clock's.
        clock: Says what time it is.
        uid: The bot's uid.
    """

    def __init__(self, recording: Recording, clock: Clock, uid: str) -> None:
        self._recording = recording
        self._clock = clock
        self._uid = uid
        self._then = Names(recording.said, recording.answers)
        self.answers: dict[str, int] = {}
        """Which line each answer of today answers."""
        self.now = Names((), self.answers, self._then)
        """The messages of the bot of today, added as they come."""
        self._asked: dict[str, deque[Exchange]] = defaultdict(deque)
        self._last: dict[str, Exchange] = {}
        for exchange in recording.exchanges:
            self._asked[kind_of(exchange.row, self._then)].append(exchange)
        self._lines: dict[str, deque[Line]] = {"room": deque(), "chat": deque()}
        for line in recording.lines:
            self._lines[line.service].append(line)

    def said(self, said: Said) -> None:
        """Take a message of the bot of today."""
        self.now.add(said.key, said.to, direct=said.direct, refused=said.refused)

    async def answer(self, service: str, method: str, target: str, body: bytes) -> Answer | Failure:
        """Answer a request as the same one was answered then, after as long."""
        row = {"service": service, "method": method, "target": target, **_read(body)}
        if self._clock.now() < 0:
            return answer_of_a_start(self._recording, row, self._uid)
        exchange = self._exchange(kind_of(row, self.now), method)
        if exchange is None:
            if self._recording.continues and method == "GET":
                return answer_of_a_start(self._recording, row, self._uid)
            return Answer(503, {"content-type": "application/json"}, _UNKNOWN)
        if exchange.end is None:
            return Failure("TimeoutError")
        end = exchange.end.row
        if end["kind"] == "failed":
            if end["how"] not in {"TimeoutError", "CancelledError"}:
                await self._clock.sleep(exchange.end.t - exchange.t)
            return Failure(end["how"])
        await self._clock.sleep(exchange.end.t - exchange.t)
        return _answer(end, self.renamed)

    def _exchange(self, kind: str, method: str) -> Exchange | None:
        """Return what a request is answered as.

        The nth as the nth was; a question of a bot whose timers began elsewhere, as the last one before now.
        """
        waiting = self._asked[kind]
        by_time = self._recording.continues and method == "GET"
        soon = self._clock.now() + _AHEAD
        while waiting and by_time and waiting[0].t <= soon:
            self._last[kind] = waiting.popleft()
        if waiting and not by_time:
            self._last[kind] = waiting.popleft()
            return self._last[kind]
        return self._last.get(kind) if method == "GET" else None

    async def open(self, service: str) -> "PlayedLine | Answer | Failure":
        """Have the next connection go as the next one went then."""
        lines = self._lines[service]
        if self._clock.now() < 0 and lines and lines[0].asked is not None:
            return Failure("TimeoutError")  # none was open when the recording began
        if not lines:
            return Failure("ConnectionRefusedError", _REFUSED)
        line = lines.popleft()
        if line.asked is None:
            return PlayedLine(start_of_a_line(self._recording, line), self._clock, self.renamed)
        if line.opened is None:
            return Failure("TimeoutError")
        row = line.opened.row
        if row["kind"] == "unopened":
            if row["how"] not in {"TimeoutError", "CancelledError"}:
                await self._clock.sleep(line.opened.t - line.asked)
            return Failure(row["how"], row["errno"])
        await self._clock.sleep(line.opened.t - line.asked)
        if row["kind"] == "refused":
            return _answer(row, self.renamed)
        return PlayedLine(line, self._clock, self.renamed)

    def renamed(self, value: Any) -> Any:  # noqa: ANN401  any JSON value
        """Return a value with the ids that messages have today."""
        if isinstance(value, dict):
            return {name: self.renamed(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.renamed(each) for each in value]
        if isinstance(value, str):
            name = self._then.name(value)
            return value if name == value else self.now.key(name) or value
        return value


class PlayedLine:
    """One connection: a `hangbot.hangfm.played.Line`.

    Frames come at their time. The answer to a frame of the bot comes as long after that as it did then.

    Args:
        line: What is played.
        clock: Says what time it is.
        renamed: Gives messages the ids of today.
    """

    def __init__(self, line: Line, clock: Clock, renamed: Any) -> None:  # noqa: ANN401  a function of JSON values
        self._clock = clock
        self._renamed = renamed
        self._events = line.events
        self._coming: asyncio.Queue[str | Closed] = asyncio.Queue()
        self._sent: dict[str, deque[tuple[float, Any]]] = defaultdict(deque)
        """What the bot sent, by what it was: when, and under which number."""
        self._then: dict[str, deque[Happened]] = defaultdict(deque)
        """What the bot of then had sent when the event came that is next."""
        self._numbers: dict[Any, str] = {}
        self._changed = asyncio.Event()
        self._pongs = _pongs(line)
        self._pings = _pings(line)
        self._playing = asyncio.create_task(self._play(), name="hangbot-replay-line")

    def heard(self, frame: str) -> None:
        """Take a frame of the bot of today."""
        value = _read(frame.encode()).get("json")
        if _what(value) == "ping":
            self._ping()
            return
        self._sent[_what(value)].append((self._clock.now(), _number(value)))
        self._changed.set()

    def _ping(self) -> None:
        """Answer a ping of the client where the one at about this time was answered then."""
        now = self._clock.now()
        nearest = min(self._pings, key=lambda ping: abs(ping[0] - now), default=None)
        if nearest is None or nearest[1]:
            self._coming.put_nowait(_written(_PONG))

    def left(self) -> None:
        """Note that the bot has closed it."""
        self._playing.cancel()

    async def pong(self) -> float:
        """Return when the service answers a ping, as long after it as it did then."""
        waits = self._pongs.popleft() if self._pongs else None
        if waits is None:
            await asyncio.get_running_loop().create_future()
        await self._clock.sleep(waits or 0.0)
        return waits or 0.0

    async def next(self) -> str | bytes | Closed:
        """Return what comes next, when it is time; nothing ever comes behind the last event."""
        return await self._coming.get()

    async def _play(self) -> None:
        """Have each event come at its time."""
        for event in self._events:
            row, kind = event.row, event.row["kind"]
            if kind == "out":
                value = row.get("json")
                self._then[_what(value)].append(event)
                if (number := _number(value)) is not None:
                    self._numbers[number] = _what(value)
            elif kind == "in" and row.get("json") != _PONG:  # pings are answered by themselves: see `_ping`
                if (frame := await self._frame(event)) is not None:
                    self._coming.put_nowait(frame)
            elif kind == "closed" and (row["theirs"] or row["code"] is not None):
                await self._until(event.t)
                self._coming.put_nowait(Closed(bool(row["theirs"]), row["code"], row["reason"]))

    async def _frame(self, event: Happened) -> str | None:
        """Return a frame of then in the form of today; ``None``: the bot did not ask for it."""
        row = event.row
        if "json" not in row:
            await self._until(event.t)
            return str(row.get("text", ""))
        value = self._renamed(row["json"])
        what = self._asked_by(value)
        if what is None or not self._then[what]:
            await self._until(event.t)
            return _written(value)
        asked = self._then[what].popleft()
        sent = await self._sending(what, event.t + _PATIENCE)
        if sent is None:
            return None
        at, number = sent
        await self._until(at + event.t - asked.t)
        if number is not None and isinstance(value, dict):
            value = {**value, "messageId": number}
        return _written(value)

    def _asked_by(self, value: Any) -> str | None:  # noqa: ANN401  any JSON value
        """Return which frame of the bot this is the answer to; ``None``: to none."""
        if not isinstance(value, dict):
            return None
        if value.get("context") == "response":
            number = value.get("messageId")
            return self._numbers.get(number) if isinstance(number, int | str) else None
        return "auth" if value.get("type") == "auth" else None

    async def _sending(self, what: str, until: float) -> tuple[float, Any] | None:
        while not self._sent[what]:
            self._changed.clear()
            try:
                await self._clock.wait_for(self._changed.wait(), max(0.0, until - self._clock.now()))
            except TimeoutError:
                return None
        return self._sent[what].popleft()

    async def _until(self, t: float) -> None:
        if (wait := t - self._clock.now()) > 0:
            await self._clock.sleep(wait)


def _what(value: Any) -> str:  # noqa: ANN401  any JSON value
    """Return what a frame of a bot is about."""
    match value:
        case {"event": "action", "params": {"action": str(action)}}:
            return action
        case {"type": "auth"}:
            return "auth"
        case {"action": "ping"}:
            return "ping"
    return "?"


def _number(value: Any) -> Any:  # noqa: ANN401  any JSON value
    return value.get("messageId") if isinstance(value, dict) and value.get("event") == "action" else None


def _pings(line: Line) -> list[tuple[float, bool]]:
    """Return when the client of then sent pings of the chat's own, and whether each was answered."""
    pings: list[tuple[float, bool]] = []
    for event in line.events:
        value = event.row.get("json")
        if event.row["kind"] == "out" and _what(value) == "ping":
            pings.append((event.t, False))
        elif event.row["kind"] == "in" and value == _PONG and pings:
            pings[-1] = pings[-1][0], True
    return pings


def _pongs(line: Line) -> deque[float | None]:
    """Return after how long each ping of then was answered; ``None``: it was not."""
    pinged = {event.row["ping"]: event.t for event in line.events if event.row["kind"] == "ping"}
    answered = {event.row["ping"]: event.t for event in line.events if event.row["kind"] == "pong"}
    return deque(answered[ping] - at if ping in answered else None for ping, at in pinged.items())


def _read(body: bytes) -> dict[str, Any]:
    try:
        return {"json": json.loads(body)} if body else {}
    except (ValueError, RecursionError):
        return {"text": body.decode("utf-8", "replace")}


def _written(value: Any) -> str:  # noqa: ANN401  any JSON value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _answer(row: Mapping[str, Any], renamed: Any) -> Answer:  # noqa: ANN401  a function of JSON values
    headers = {name: value for name, value in row["headers"].items() if name not in _LEFT_OUT}
    body = _written(renamed(row["json"])) if "json" in row else str(row.get("text", ""))
    return Answer(row["status"], headers, body.encode("utf-8", "replace"))
