"""``hangbot fleet drain``: have a worker give its rooms up and end."""

import argparse
import asyncio

from hangbot.cli.fleet_address import fleet_address
from hangbot.cli.fleet_run import own_name, worker_name
from hangbot.cli.output import write_line
from hangbot.clock import SystemClock
from hangbot.config.cluster import ClusterAddress
from hangbot.fleet.nats_cluster import open_cluster
from hangbot.fleet.wishes import drain_worker

__all__ = ["add_arguments", "run"]

_WITHIN = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.set_defaults(quiet_level="warning")
    parser.add_argument(
        "worker",
        nargs="?",
        type=worker_name,
        metavar="WORKER",
        help="the worker (default: the one that is called like this machine)",
    )


def run(args: argparse.Namespace) -> int:
    """Drain a worker, and return when it has no rooms."""
    worker = args.worker or own_name()
    had = asyncio.run(_drain(fleet_address(args), worker))
    write_line(f"worker {worker} has given up its rooms ({had}) and ends")
    return 0


async def _drain(address: ClusterAddress, worker: str) -> int:
    async with open_cluster(address, make=False) as cluster:
        return await drain_worker(cluster.register, worker, within=_WITHIN, clock=SystemClock())
