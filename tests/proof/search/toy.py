"""Bots that are no programs: what they do wrong follows from the faults of a schedule alone."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from pytest_hangfm.proof.evidence import Evidence
from pytest_hangfm.proof.outcome import Played
from pytest_hangfm.proof.search.findings import Trial
from pytest_hangfm.proof.search.performing import Suspicion
from pytest_hangfm.simulation.plan import Plan

STARTS_IN = 3.0
SUSPECTED_AFTER = 15.0
GIVEN_UP_AFTER = 60.0
SEEN = Evidence("bot")


def kinds_of(plan: Plan) -> set[str]:
    """The classes of a schedule's faults."""
    return {fault.kind for fault in plan.faults}


@dataclass
class Toy:
    """A bot that fails in some schedules.

    Attributes:
        fails: Whether it does in a schedule.
        rule: Which rule it breaks then.
        recovers: Whether it is well again after it was suspected.
        does_not_start: Why it cannot be played, or empty.
        alive: How many of it live now.
        most: How many of it lived at once.
        plays: Each schedule that was begun.
    """

    fails: Callable[[Plan], bool] = lambda _: False
    rule: str = "search.recovers"
    recovers: bool = False
    does_not_start: str = ""
    alive: int = 0
    most: int = 0
    plays: list[Plan] = field(default_factory=list)

    async def __call__(self, plan: Plan, suspect: Callable[[Suspicion], object], /) -> Trial:
        """Play a schedule, as long as one takes."""
        self.plays.append(plan)
        self.alive += 1
        self.most = max(self.most, self.alive)
        fired = tuple(range(len(plan.faults)))
        try:
            await asyncio.sleep(STARTS_IN)
            if self.does_not_start:
                return Trial(Played(not_exercised=self.does_not_start))
            await asyncio.sleep(plan.seconds)
            if self.fails(plan):
                await asyncio.sleep(SUSPECTED_AFTER)
                suspect(Suspicion(self.rule, fired))
                if not self.recovers:
                    await asyncio.sleep(GIVEN_UP_AFTER - SUSPECTED_AFTER)
                    return Trial(Played(((self.rule, "it is deaf"),), SEEN), fired)
            await asyncio.sleep(5)
            return Trial(Played(evidence=SEEN), fired)
        finally:
            self.alive -= 1
