"""A large fleet on paper and in simulation: what it asks of its cluster, and how soon it spreads again."""

from collections.abc import Iterator
from typing import Final

from bench.figures import Figure, quantile
from bench.fleet_traffic import in_all, on_paper
from bench.fleet_world import FleetRun, simulate_fleet
from bench.plan import Plan

__all__ = ["SIMULATED", "STEPS"]

SIMULATED: Final = ((200, 3), (1_000, 10), (2_500, 25))
"""Rooms and workers of the fleets that are simulated; the page has a hundred workers, too."""


def _figures(plan: Plan) -> Iterator[Figure]:
    for rooms, workers in SIMULATED[: 1 if plan.quick else None]:
        run = simulate_fleet(rooms, workers)
        size = f"{rooms:,} rooms, {workers} workers"
        paper = in_all(on_paper(rooms, workers)).messages
        yield Figure(
            f"{size}: messages at the cluster",
            in_all(run.calm).messages,
            "/s",
            beside=f"on paper {paper:,.0f}",
        )
        yield _spread(size, run)


def _spread(size: str, run: FleetRun) -> Figure:
    gone = f"{run.gone} worker{'s' if run.gone > 1 else ''} gone"
    return Figure(
        f"{size}: {gone}, until a room has an owner again, p99",
        quantile(run.without_owner_s, 0.99),
        "s",
        beside=f"at most {run.without_owner_s[-1]:.2f} s; {run.moved} rooms moved",
    )


STEPS: Final = (_figures,)
"""The measurements of this part, in the order of the table."""
