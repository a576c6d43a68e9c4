"""Plays the services as they were recorded, to a bot that may do something else.

A request is answered as the same request was then, after as long; the nth connection goes as the nth went.
What was not asked then is answered as the like of it was last; it shows as a difference.
"""

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any, Final

from hangbot.clock import Clock
from hangbot.hangfm.played import Answer, Failure
from hangbot.incident.played_line import PlayedLine, read_content, written
from hangbot.incident.recording import Exchange, Line, Names, Recording, Said, kind_of
from hangbot.incident.starting import answer_of_a_start, start_of_a_line

__all__ = ["RecordedPlayer"]

_NONE: Final = Failure("ConnectionRefusedError", 111)
_AHEAD: Final = 1.0
"""Seconds by which a bot may be ahead of the recorded one, where it is answered by the time."""
_LEFT_OUT: Final = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection"})
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
        row = {"service": service, "method": method, "target": target, **read_content(body)}
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

    async def open(self, service: str) -> PlayedLine | Answer | Failure:
        """Have the next connection go as the next one went then."""
        lines = self._lines[service]
        if not lines:
            return Failure("TimeoutError") if self._recording.continues else _NONE
        asked = lines[0].asked
        if self._recording.continues and asked is not None:  # how long it was to wait is not known
            await self._clock.sleep(max(0.0, asked - self._clock.now()))
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


def _answer(row: Mapping[str, Any], renamed: Any) -> Answer:  # noqa: ANN401  a function of JSON values
    headers = {name: value for name, value in row["headers"].items() if name not in _LEFT_OUT}
    body = written(renamed(row["json"])) if "json" in row else str(row.get("text", ""))
    return Answer(row["status"], headers, body.encode("utf-8", "replace"))
