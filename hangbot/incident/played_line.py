"""One recorded connection, as it is played to a bot that may do something else."""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from hangbot.clock import Clock
from hangbot.hangfm.played import Closed
from hangbot.incident.recording import Happened, Line

__all__ = ["PlayedLine", "read_content", "written"]

_PATIENCE: Final = 5.0
"""Seconds for which an answer is kept back for a frame of the bot that does not come."""
_PONG: Final = {"action": "pong"}


class PlayedLine:
    """One connection: a `hangbot.hangfm.played.Line`.

    Frames come at their time. The answer to a frame of the bot comes as long after that as it did then.

    Args:
        line: What is played.
        clock: Says what time it is.
        renamed: Gives messages the ids of today.
    """

    def __init__(self, line: Line, clock: Clock, renamed: Callable[[Any], Any]) -> None:
        self._clock = clock
        self._renamed = renamed
        self._events = line.events
        self._coming: asyncio.Queue[str | Closed] = asyncio.Queue()
        self._sent: dict[str, list[tuple[float, Any]]] = defaultdict(list)
        """What the bot of today sent, by what it was: when, and under which number."""
        self._counts: dict[str, int] = defaultdict(int)
        self._then: dict[str, _Asked] = {}
        """What the bot of then had sent when the event came that is next, by what an answer to it says."""
        self._changed = asyncio.Event()
        self._pongs = _pongs(line)
        self._pings = _pings(line)
        self._playing = asyncio.create_task(self._play(), name="hangbot-replay-line")

    def heard(self, frame: str) -> None:
        """Take a frame of the bot of today."""
        value = read_content(frame.encode()).get("json")
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
            self._coming.put_nowait(written(_PONG))

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
                what = _what(row.get("json"))
                self._then[_mark(row.get("json"))] = _Asked(what, self._counts[what], event.t)
                self._counts[what] += 1
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
        asked = self._then.get(mark) if (mark := _mark(value)) else None
        if asked is None:
            await self._until(event.t)
            return written(value)
        sent = await self._sending(asked, event.t + _PATIENCE)
        if sent is None:
            return None
        at, number = sent
        await self._until(at + event.t - asked.t)
        if number is not None and isinstance(value, dict):
            value = {**value, "messageId": number}
        return written(value)

    async def _sending(self, asked: "_Asked", until: float) -> tuple[float, Any] | None:
        """Return when the bot of today sent the same, and under which number; ``None``: it does not."""
        while len(self._sent[asked.what]) <= asked.nth:
            self._changed.clear()
            try:
                await self._clock.wait_for(self._changed.wait(), max(0.0, until - self._clock.now()))
            except TimeoutError:
                return None
        return self._sent[asked.what][asked.nth]

    async def _until(self, t: float) -> None:
        if (wait := t - self._clock.now()) > 0:
            await self._clock.sleep(wait)


class _Asked(NamedTuple):
    """A frame of the bot of then: the nth of what it was, and when."""

    what: str
    nth: int
    t: float


def _mark(value: Any) -> str:  # noqa: ANN401  any JSON value
    """Return what a frame of a bot and the answer to it have in common; empty: nothing."""
    match value:
        case {"event": "action", "messageId": int() | str() as number}:
            return f"action {number!r}"
        case {"context": "response", "messageId": int() | str() as number}:
            return f"action {number!r}"
        case {"type": "auth"}:
            return "auth"
    return ""


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


def read_content(body: bytes) -> dict[str, Any]:
    """Return a body or frame as a row has it: ``json`` where it is that, else ``text``."""
    try:
        return {"json": json.loads(body)} if body else {}
    except (ValueError, RecursionError):
        return {"text": body.decode("utf-8", "replace")}


def written(value: Any) -> str:  # noqa: ANN401  any JSON value
    """Return a value as it is sent."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
