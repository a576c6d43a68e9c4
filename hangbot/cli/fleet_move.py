"""``hangbot fleet move``: have another worker own a room."""

import argparse
import asyncio

from hangbot.cli.fleet_address import fleet_address
from hangbot.cli.fleet_run import worker_name
from hangbot.cli.output import write_line
from hangbot.clock import SystemClock
from hangbot.config.cluster import ClusterAddress
from hangbot.fleet.nats_cluster import open_cluster
from hangbot.fleet.picture import RoomRow
from hangbot.fleet.wishes import move_room

__all__ = ["add_arguments", "run"]

_WITHIN = 20.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.set_defaults(quiet_level="warning")
    parser.add_argument("room", metavar="ROOM", help="the room, by the name of its file without .env")
    parser.add_argument("worker", type=worker_name, metavar="WORKER", help="the worker that is to own it")


def run(args: argparse.Namespace) -> int:
    """Move a room, and return when its bot is ready there."""
    row = asyncio.run(_move(fleet_address(args), args.room, args.worker))
    write_line(f"{row.name} is with worker {args.worker}")
    return 0


async def _move(address: ClusterAddress, room: str, worker: str) -> RoomRow:
    async with open_cluster(address, make=False) as cluster:
        return await move_room(cluster.register, room, worker, within=_WITHIN, clock=SystemClock())
