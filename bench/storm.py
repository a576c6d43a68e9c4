"""Ten thousand clients after an outage, on a clock that is only counted: no sockets, no waiting.

Each client sends when the service has just gone, fails, and tries again as the shipped
`hangbot.delivery.policy.RetryPolicy` says, until it is served.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, get_args

from bench.figures import Figure, at_most
from bench.plan import Plan
from hangbot.delivery.retry import RetryPolicy, Strategy
from hangbot.ids import Rng

__all__ = ["CLIENTS", "IDEAL_S", "OUTAGE_S", "STEPS", "WINDOW_S", "Storm", "simulate", "storms"]

CLIENTS: Final = 10_000
OUTAGE_S: Final = 30.0
SEED: Final = 30
WINDOW_S: Final = 0.1
"""Rates are counted in windows of this length."""
IDEAL_S: Final = 10.0
"""Where the server takes a tenth of the clients a second, nobody could do better."""
_RECOVERY_GOAL: Final = 4.0
_PEAK_GOAL: Final = 0.15


@dataclass(frozen=True, slots=True)
class Storm:
    """What the server saw once it was back. All times are seconds after that moment.

    Attributes:
        strategy: How the clients drew their waits.
        clients: How many there were.
        requests: Requests from then on, those refused for want of capacity included.
        arrivals: Requests in each window of `WINDOW_S`.
        served: When each client was served, in order.
    """

    strategy: Strategy
    clients: int
    requests: int
    arrivals: tuple[int, ...]
    served: tuple[float, ...]

    @property
    def peak(self) -> float:
        """The most requests a second."""
        return max(self.arrivals) / WINDOW_S

    @property
    def recovered_s(self) -> float:
        """When the last client was served."""
        return self.served[-1]

    @property
    def half_s(self) -> float:
        """When half of the clients were served."""
        return self.served[(len(self.served) - 1) // 2]

    def later_than(self, total_s: float) -> int:
        """Return how many clients waited longer than so much since their first attempt."""
        return sum(at + OUTAGE_S > total_s for at in self.served)


def simulate(
    policy: RetryPolicy, *, clients: int, capacity: float | None, rng: Rng, slice_s: float = 1.0
) -> Storm:
    """Let the clients return to a service that was away for `OUTAGE_S` seconds.

    Args:
        policy: Gives the waits. Its limits of attempts and time are left aside: it is the
            schedule that is looked at, and no attempt is spent on a service known to be down.
        clients: How many; all of them fail first at second 0.
        capacity: Requests that the server can take a second, or ``None`` for any number. What
            exceeds it is refused at once, and that client waits on.
        rng: Drawn from in the order of events.
        slice_s: The capacity is counted in slices of so many seconds: the longer they are, the
            longer a queue the server can keep.
    """
    due = [(policy.wait_after(1, rng), client, 1) for client in range(clients)]
    heapq.heapify(due)
    arrivals: list[int] = []
    served: list[float] = []
    room = _Room(capacity, slice_s)
    while due:
        now, client, attempt = due[0]
        if now >= OUTAGE_S:
            since = now - OUTAGE_S
            window = int(since / WINDOW_S)
            arrivals += [0] * (window + 1 - len(arrivals))
            arrivals[window] += 1
            if room.takes(since):
                served.append(since)
                heapq.heappop(due)
                continue
        wait = policy.wait_after(attempt + 1, rng)
        heapq.heapreplace(due, (now + wait, client, attempt + 1))
    return Storm(policy.strategy, clients, sum(arrivals), tuple(arrivals), tuple(served))


class _Room:
    """So many requests in each slice of time, first come, first served."""

    def __init__(self, capacity: float | None, slice_s: float) -> None:
        self._most = None if capacity is None else max(1, round(capacity * slice_s))
        self._slice_s = slice_s
        self._slice = -1
        self._taken = 0

    def takes(self, now: float) -> bool:
        if self._most is None:
            return True
        if int(now / self._slice_s) != self._slice:
            self._slice, self._taken = int(now / self._slice_s), 0
        self._taken += 1
        return self._taken <= self._most


def storms(clients: int, capacity: float | None, *, slice_s: float = 1.0) -> dict[Strategy, Storm]:
    """Return the storm of each strategy with the default numbers; the draws are the same every time."""
    return {
        strategy: simulate(
            RetryPolicy(strategy=strategy),
            clients=clients,
            capacity=capacity,
            slice_s=slice_s,
            rng=random.Random(SEED),  # noqa: S311  a simulation that can be repeated
        )
        for strategy in get_args(Strategy)
    }


def _figures(_: Plan) -> Iterator[Figure]:
    unlimited, scarce = storms(CLIENTS, None), storms(CLIENTS, CLIENTS / IDEAL_S)
    for strategy, storm in unlimited.items():
        is_full = strategy == "full"
        yield Figure(
            f"{strategy}: peak after a 30 s outage, in clients a second",
            storm.peak / CLIENTS,
            "x",
            at_most(_PEAK_GOAL) if is_full else None,
            f"{storm.peak:,.0f}/s from {CLIENTS:,} clients; the last served after {storm.recovered_s:.1f} s",
        )
        slow = scarce[strategy].recovered_s
        yield Figure(
            f"{strategy}: recovery where the server takes a tenth a second, over the ideal",
            slow / IDEAL_S,
            "x",
            at_most(_RECOVERY_GOAL) if is_full else None,
            f"{slow:.0f} s; ideal {IDEAL_S:.0f} s",
        )


STEPS: Final = (_figures,)
"""The measurements of this part, in the order of the table."""
