"""What the network does to connections: rules that come and go while the world runs."""

import errno
import math
import os
import random
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from pytest_hangfm.simulation.link import Item, Link

if TYPE_CHECKING:
    from pytest_hangfm.simulation.network import Network
    from pytest_hangfm.simulation.transport import AtCrash

__all__ = ["Both", "Direction", "Hole", "Rule", "Rules", "Side"]

Direction = Literal["out", "in"]
"""Of data, seen from the client: to the server, or from it."""
Both = Literal["out", "in", "both"]
Side = Literal["client", "server"]
R = TypeVar("R", bound="Rule")

_CHUNKS: Final = 4
"""Pieces a second in which data comes over a slow link."""


class Rule:
    """Something that the network does to the connections of a port.

    Attributes:
        port: The server's.
        direction: Which data it concerns.
        hits: How often it had an effect.
        stands: Whether it has not been removed.
    """

    def __init__(self, rules: "Rules", port: int, direction: Both = "both") -> None:
        self.port = port
        self.direction = direction
        self.hits = 0
        self.stands = True
        self._rules = rules

    def remove(self) -> None:
        """End it; ending it twice is harmless."""
        if self.stands:
            self.stands = False
            self._rules.removed(self)

    def covers(self, port: int, direction: Direction) -> bool:
        """Return whether it concerns such data."""
        return self.port == port and self.direction in {direction, "both"}


class Hole(Rule):
    """Swallows what is sent; that is sent again until it comes through or its sender gives it up."""


class _Delay(Rule):
    seconds: float
    jitter: float


class _Cut(Rule):
    after_bytes: int
    times: int
    carried: Counter[int]
    """Bytes since the rule was made, by the port of the client."""


class _Slow(Rule):
    bytes_per_s: float


class _Refusal(Rule):
    error: int


class Rules:
    """The rules of a network, by the port of the server and the direction of the data.

    Attributes:
        at_crash: What the other side sees of a process that crashes.
        rng: Draws the jitter.
        any: Whether there is any rule.
    """

    def __init__(self, network: "Network") -> None:
        self.at_crash: AtCrash = "reset"
        self.rng = random.Random(0)  # noqa: S311  to be repeatable
        self.any = False
        self._network = network
        self._all: list[Rule] = []

    # -- to be called while the world runs

    def delay(self, port: int, seconds: float, jitter: float = 0.0, direction: Both = "both") -> Rule:
        """Have each piece of data, and connecting, take longer; by up to ``jitter`` more.

        Data of two connections may overtake each other then, data of one never does.
        """
        rule = _Delay(self, port, direction)
        rule.seconds, rule.jitter = seconds, jitter
        return self._add(rule)

    def cut(self, port: int, after_bytes: int, direction: Both = "both", *, times: int = 1) -> Rule:
        """Reset so many connections, each behind so many bytes since the rule was made."""
        rule = _Cut(self, port, direction)
        rule.after_bytes, rule.times, rule.carried = after_bytes, times, Counter()
        return self._add(rule)

    def half_open(self, port: int, ended: Side = "server") -> Rule:
        """End the connections that are open now on one side, and leave them open on the other.

        What the other side sends is swallowed as long as the rule stands, and answered by a reset after that.
        """
        rule = Hole(self, port, "out" if ended == "server" else "in")
        for transport in list(self._network.transports):
            if transport.out.port == port and transport.out.direction != rule.direction:
                transport.lose_in(rule)
        return rule

    def black_hole(self, port: int, direction: Both = "both") -> Rule:
        """Let nothing through; a client that connects waits as well."""
        return self._add(Hole(self, port, direction))

    def slow_reader(self, port: int, bytes_per_s: float, direction: Both = "both") -> Rule:
        """Let so many bytes a second through on each connection; a sender of more has to pause."""
        rule = _Slow(self, port, direction)
        rule.bytes_per_s = bytes_per_s
        return self._add(rule)

    def refuse(self, port: int) -> Rule:
        """Refuse to connect, as if nothing listened."""
        return self._refuse(port, errno.ECONNREFUSED)

    def unreachable(self, port: int) -> Rule:
        """Have no way to the port's machine; what is connected stays so."""
        return self._refuse(port, errno.EHOSTUNREACH)

    # -- for the network

    def removed(self, rule: Rule) -> None:
        """Forget a rule, and let what it held up go on."""
        if rule in self._all:
            self._all.remove(rule)
        self.any = bool(self._all)
        for link in list(self._network.stuck):
            link.try_again()

    def shape(self, link: Link, item: Item) -> tuple[list[tuple[Item, float, float]], bool]:
        """Return the pieces in which something travels, and whether the connection is cut behind them.

        With each piece come the seconds that it is on its way, and those for which it keeps the link busy.
        """
        seconds, rate, cut = 0.0, math.inf, False
        for rule in self._all:
            if not rule.covers(link.port, link.direction):
                continue
            match rule, item:
                case _Delay(), _:
                    seconds += self._take(rule)
                case _Slow(), bytes():
                    rule.hits += 1
                    rate = min(rate, rule.bytes_per_s)
                case _Cut(), bytes() if rule.hits < rule.times:
                    left = rule.after_bytes - rule.carried[link.client]
                    rule.carried[link.client] += len(item)
                    if len(item) >= left:
                        rule.hits += 1
                        item, cut = item[: max(0, left)], True
        if isinstance(item, bytes) and math.isfinite(rate):
            size = max(1, int(rate / _CHUNKS))
            pieces = [item[at : at + size] for at in range(0, len(item), size)]
            return [(piece, seconds, len(piece) / rate) for piece in pieces], cut
        return [(item, seconds, 0.0)] if item else [], cut

    def hole(self, port: int, direction: Direction) -> Hole | None:
        """Return what swallows such data, if anything does."""
        for rule in self._all:
            if isinstance(rule, Hole) and rule.covers(port, direction):
                return rule
        return None

    def connecting(self, port: int) -> float:
        """Return for how many more seconds a connection is being made.

        Raises:
            OSError: It is not made.
        """
        seconds = 0.0
        for rule in self._all:
            if isinstance(rule, _Refusal) and rule.port == port:
                rule.hits += 1
                raise OSError(rule.error, os.strerror(rule.error))
            if isinstance(rule, _Delay) and rule.covers(port, "out"):
                seconds += self._take(rule)
        return seconds

    def _take(self, rule: _Delay) -> float:
        rule.hits += 1
        return rule.seconds + (self.rng.uniform(0.0, rule.jitter) if rule.jitter else 0.0)

    def _refuse(self, port: int, error: int) -> Rule:
        rule = _Refusal(self, port)
        rule.error = error
        return self._add(rule)

    def _add(self, rule: R) -> R:
        self._all.append(rule)
        self.any = True
        return rule
