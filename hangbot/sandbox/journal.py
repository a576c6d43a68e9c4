"""Everything that goes over the sandbox's connections, in order, with secrets masked."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

from hangbot.redact import Redactor

__all__ = ["KEPT_EVENTS", "Event", "Journal"]

Event = dict[str, Any]
"""A row: ``n``, ``t_ms``, ``service``, ``dir``, ``kind``, sometimes ``fault``, and the row's own data."""

KEPT_EVENTS: Final = 10_000
KEPT_CHARS: Final = 8_192
"""Longer texts are cut, so that ten thousand events take megabytes and no more."""

_Row = tuple[int, int, str, str, str, int | None, dict[str, Any] | tuple[int, str | None, str]]
"""An event as it was recorded, unmasked: ``n``, ``t_ms``, ``service``, ``dir``, ``kind``, fault, data."""

_FRAME_FIELDS: Final = ("conn", "uid", "frame")

_SHOWN_IN_ERROR: Final = 12
_UNROUTED_KEPT: Final = 100


class Journal:
    """A ring of the newest events.

    A row is masked when it is read rather than when it is recorded: otherwise a room that answers ten
    thousand actions a second would spend most of its time masking rows that are never looked at.
    Whatever leaves the journal is masked.

    Args:
        now_ms: The sandbox's clock.
        redactor: Masks known secrets; every token issued is added to it.
        on_event: Given each masked event as it happens (``--record``), or ``None``.
        keep: How many events are kept.
    """

    def __init__(
        self,
        now_ms: Callable[[], int],
        redactor: Redactor,
        *,
        on_event: Callable[[Event], object] | None = None,
        keep: int = KEPT_EVENTS,
    ) -> None:
        self._now_ms = now_ms
        self._redactor = redactor
        self._on_event = on_event
        self._ring: deque[Event | _Row] = deque(maxlen=keep)
        self._masked_to = 0
        self._count = 0
        self.unrouted: list[str] = []
        """The first hundred requests without a route: a test never makes one on purpose."""
        self._news: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        return len(self._ring)

    @property
    def last_n(self) -> int:
        """The number of the newest event; 0 before the first."""
        return self._count

    def record(
        self,
        service: str,
        dir: str,  # noqa: A002  the row's own name in the contract
        kind: str,
        *,
        fault: int | None = None,
        **data: Any,  # noqa: ANN401  any JSON value
    ) -> int:
        """Record an event and return its number.

        Args:
            service: ``room``, ``chat`` or ``gateway``.
            dir: ``in`` (from a client) or ``out``.
            kind: ``http``, ``frame``, ``open`` or ``close``.
            fault: Id of the fault that caused or changed it.
            data: What belongs to it: ``method``, ``path``, ``status``, ``body``, ``frame``,
                ``uid``, ``conn`` … Containers are copied now, so later changes do not show.
                ``unknown_route`` marks a request that no route knows.
        """
        self._count += 1
        for name, value in data.items():
            kind_of = type(value)
            if kind_of is str:
                if len(value) > KEPT_CHARS:
                    data[name] = self._frozen(value)
            elif value is not None and kind_of is not int:
                data[name] = self._frozen(value)
        row = (self._count, self._now_ms(), service, dir, kind, fault, data)
        self._ring.append(row)
        if "unknown_route" in data and len(self.unrouted) < _UNROUTED_KEPT:
            self.unrouted.append(_line(self._masked(row)))
        if self._news or self._on_event is not None:
            self._spread(row)
        return self._count

    def frame(self, dir: str, conn: int, uid: str | None, text: str, fault: int | None = None) -> None:  # noqa: A002  as above
        """Record a frame of the room socket: ``record`` for what is by far the most frequent."""
        self._count += 1
        if len(text) > KEPT_CHARS:
            text = self._frozen(text)
        row = (self._count, self._now_ms(), "room", dir, "frame", fault, (conn, uid, text))
        self._ring.append(row)
        if self._news or self._on_event is not None:
            self._spread(row)

    def _spread(self, row: _Row) -> None:
        if self._on_event is not None:
            self._on_event(self._masked(row))
        if self._news:
            waiters, self._news = self._news, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def since(self, n: int = 0) -> tuple[list[Event], bool]:
        """Return the events after number ``n``, masked, and whether the ring has dropped some of them."""
        first_kept = self._count - len(self._ring) + 1
        truncated = n + 1 < first_kept
        asked_for = len(self._ring) - max(0, n + 1 - first_kept)
        if asked_for <= 0:
            return [], truncated
        self._mask_all()
        newest_first = islice(reversed(self._ring), asked_for)
        return [dict(event) for event in newest_first if isinstance(event, dict)][::-1], truncated

    def events(self, *, since: int = 0, **wanted: Any) -> list[Event]:  # noqa: ANN401  any JSON value
        """Return the kept events whose fields equal ``wanted``: ``events(service="room", dir="in")``."""
        return [event for event in self.since(since)[0] if _fits(event, wanted)]

    async def wait_for(
        self, predicate: Callable[[Event], bool], *, within: float = 5.0, since: int = 0
    ) -> Event:
        """Return the first event after ``since`` that fits, waiting up to ``within`` seconds for it.

        Raises:
            TimeoutError: None came; the message names what came instead.
        """
        seen = since
        try:
            async with asyncio.timeout(within):
                while True:
                    for event in self.since(seen)[0]:
                        seen = event["n"]
                        if predicate(event):
                            return event
                    waiter = asyncio.get_running_loop().create_future()
                    self._news.append(waiter)
                    await waiter
        except TimeoutError:
            raise TimeoutError(self._instead(since, within)) from None

    def clear(self) -> None:
        """Forget the events; the numbers continue."""
        self._ring.clear()
        self.unrouted.clear()

    def _instead(self, since: int, within: float) -> str:
        events, _ = self.since(since)
        if not events:
            return f"no such event within {within:g} s, nor any other"
        shown = "; ".join(_line(event) for event in events[-_SHOWN_IN_ERROR:])
        return f"no such event within {within:g} s; the last of {len(events)} were: {shown}"

    def _frozen(self, value: Any) -> Any:  # noqa: ANN401  any JSON value
        """Return a private copy with long texts cut."""
        if isinstance(value, str):
            # Mask before cutting: the first half of a secret would not be recognised.
            return self._redactor.text(value[: 2 * KEPT_CHARS])[:KEPT_CHARS] + f"… ({len(value)} characters)"
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value)} bytes>"
        if isinstance(value, dict | Mapping):  # nearly always a dict, which is the cheaper test
            return {
                str(k): self._frozen(v) if not isinstance(v, str) or len(v) > KEPT_CHARS else v
                for k, v in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self._frozen(v) if not isinstance(v, str) or len(v) > KEPT_CHARS else v for v in value]
        return value

    def _masked(self, row: _Row) -> Event:
        n, t_ms, service, dir_, kind, fault, data = row
        event: Event = {"n": n, "t_ms": t_ms, "service": service, "dir": dir_, "kind": kind}
        if fault is not None:
            event["fault"] = fault
        fields = data.items() if isinstance(data, dict) else zip(_FRAME_FIELDS, data, strict=True)
        for name, value in fields:
            plain = value is None or isinstance(value, int | float)
            event[name] = value if plain else self._redactor.value(value)
        return event

    def _mask_all(self) -> None:
        """Mask the rows that are new since the last call, in place."""
        ring = self._ring
        for index in range(len(ring) - min(len(ring), self._count - self._masked_to), len(ring)):
            row = ring[index]
            if isinstance(row, tuple):
                ring[index] = self._masked(row)
        self._masked_to = self._count


def _fits(event: Event, wanted: Mapping[str, Any]) -> bool:
    return all(event.get(name) == value for name, value in wanted.items())


def _line(event: Event) -> str:
    data = {k: v for k, v in event.items() if k not in {"n", "t_ms"}}
    text = " ".join(f"{k}={v}" for k, v in data.items())
    return text if len(text) <= 160 else text[:159] + "…"  # noqa: PLR2004  a line of a failure message
