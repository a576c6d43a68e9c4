"""One direction of a connection: what is sent arrives in order, later, or not at all."""

import contextvars
import enum
import errno
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

    from pytest_hangfm.simulation.network import Network
    from pytest_hangfm.simulation.rules import Direction, Hole
    from pytest_hangfm.simulation.transport import Transport

__all__ = ["LATENCY", "End", "Item", "Link"]

LATENCY: Final = 0.001
"""Seconds that each piece of data is on its way."""
_FIRST_RETRY: Final = 0.2
_LONGEST_RETRY: Final = 120.0
_GIVE_UP: Final = 924.6
"""Seconds after which Linux gives a connection up on which nothing is acknowledged, by its default."""
_GIVE_UP_CLOSED: Final = 102.0
"""The same for one that its program has closed."""


class End(enum.Enum):
    """How a direction ends."""

    FIN = enum.auto()
    RESET = enum.auto()


Item = bytes | End


class Link:
    """Carries what one transport writes to the other.

    Nothing overtakes on a link, and what a hole swallows is sent again as TCP does: data that its sender
    has given up on may still arrive.

    Attributes:
        port: The port of the server.
        direction: Seen from the client.
        sender, receiver: The two transports.
        client: The port of the client, which is another for each connection.
        hole: Swallows what is sent here, as long as it stands.
    """

    def __init__(
        self,
        network: "Network",
        port: int,
        direction: "Direction",
        sender: "Transport",
        receiver: "Transport",
    ) -> None:
        self.port = port
        self.direction: Direction = direction
        self.sender = sender
        self.receiver = receiver
        self.client = (sender if direction == "out" else receiver).address[1]
        self.hole: Hole | None = None
        self._network = network
        self._loop = network.loop
        self._last = 0.0
        self._over = False
        self._waiting: deque[tuple[float, asyncio.TimerHandle]] = deque()
        """Pieces that are not on their way yet, as the link is slow, and when they will be."""
        self._held: deque[Item] = deque()
        self._held_since = 0.0
        self._limit: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None

    def send(self, item: Item) -> None:
        """Send something; what comes behind an end is dropped."""
        if self._over:
            return
        rules = self._network.rules
        if rules.any:
            pieces, cut = rules.shape(self, item)
            for piece, seconds, busy in pieces:
                self._deliver(piece, seconds, busy)
            if cut:
                self.reset()
                self.receiver.out.reset()
        else:
            self._deliver(item)
        self._over = self._over or item is End.RESET

    def drop(self) -> None:
        """Drop what is not on its way yet."""
        while self._waiting:
            begins, timer = self._waiting.pop()
            if begins <= self._loop.time():
                break
            timer.cancel()
            self._last = begins

    def reset(self) -> None:
        """Reset it behind what was sent; the system does that, even for a program that is gone."""
        self._deliver(End.RESET)
        self._over = True

    def vanish(self) -> None:
        """Send nothing any more, not even again: the machine that sends is gone."""
        self._over = True
        self._let_go()

    def closed(self) -> None:
        """Note that the sender was closed: what is held is not tried for as long as before."""
        if self._held:
            self._give_up_at(self._loop.time() + _GIVE_UP_CLOSED)

    def try_again(self) -> None:
        """Note that a hole is gone: what is held is sent with the next retry."""
        if not self._held or self._retry is not None:
            return
        wait, at, now = _FIRST_RETRY, self._held_since + _FIRST_RETRY, self._loop.time()
        while at < now:
            wait = min(2 * wait, _LONGEST_RETRY)
            at += wait
        self._retry = self._loop.call_at(at, self._flush, context=contextvars.Context())

    def _deliver(self, item: Item, seconds: float = 0.0, busy: float = 0.0) -> None:
        self._last = max(self._last, self._loop.time() + LATENCY + seconds) + busy
        timer = self._loop.call_at(self._last, self._arrive, item, context=contextvars.Context())
        if busy:
            self._waiting.append((self._last - busy, timer))
        while self._waiting and self._waiting[0][0] <= self._loop.time():
            self._waiting.popleft()

    def _arrive(self, item: Item) -> None:
        if self._held or self._is_swallowed():
            self._hold(item)
            return
        receiver = self.receiver
        if receiver.is_closing():
            if isinstance(item, bytes):
                receiver.out.reset()
            return
        if isinstance(item, bytes):
            self._network.note_delivery(self, item)
        self._loop.call_soon(receiver.arrive, item, context=receiver.context)

    def _is_swallowed(self) -> bool:
        if self.receiver.silent:
            return True
        hole = (
            self.hole
            if self.hole and self.hole.stands
            else self._network.rules.hole(self.port, self.direction)
        )
        if hole:
            hole.hits += 1
        return hole is not None

    def _hold(self, item: Item) -> None:
        if item is End.RESET:  # is sent once
            self.vanish()
            return
        if not self._held:
            self._held_since = self._loop.time()
            closed = self.sender.is_closing()
            self._give_up_at(self._held_since + (_GIVE_UP_CLOSED if closed else _GIVE_UP))
            self._network.stuck[self] = None
        self._held.append(item)

    def _flush(self) -> None:
        self._retry = None
        if self._is_swallowed():
            return
        items = list(self._held)
        self._let_go()
        for item in items:
            self._arrive(item)

    def _give_up_at(self, at: float) -> None:
        if self._limit is not None:
            at = min(at, self._limit.when())
            self._limit.cancel()
        self._limit = self._loop.call_at(at, self._give_up, context=contextvars.Context())

    def _give_up(self) -> None:
        self._limit = None
        self.vanish()
        self.sender.fail(TimeoutError(errno.ETIMEDOUT, "Connection timed out"))

    def _let_go(self) -> None:
        self._held.clear()
        self._network.stuck.pop(self, None)
        for timer in (self._limit, self._retry):
            if timer is not None:
                timer.cancel()
        self._limit = self._retry = None
