"""``hangbot fleet status``: the rooms of a fleet, their owners, and the workers."""

import argparse
import asyncio
from collections.abc import Iterator

from hangbot.cli.fleet_address import fleet_address
from hangbot.cli.output import write_json, write_line
from hangbot.cli.parser import add_json_option
from hangbot.clock import iso_time
from hangbot.config.cluster import ClusterAddress
from hangbot.exit_codes import FAILED
from hangbot.fleet.nats_cluster import open_cluster
from hangbot.fleet.picture import Picture, RoomRow, read_picture
from hangbot.fleet.refusals import NoFleet
from hangbot.fleet.streams import ClusterAway

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_json_option(parser)
    parser.set_defaults(quiet_level="warning")


def run(args: argparse.Namespace) -> int:
    """Print them, and return 0 where each room has an owner and its bot is ready."""
    address = fleet_address(args)
    picture, halted = asyncio.run(_read(address))
    if args.json:
        write_json(picture.to_json())
    else:
        for line in _lines(picture, address):
            write_line(line)
    if halted:
        words = f"the NATS servers of {address} store nothing: what is shown may have ended"
        raise ClusterAway(words, remedy=halted.remedy) from halted
    well = bool(picture.rooms) and all(row.owner and row.ready for row in picture.rooms.values())
    return 0 if well else FAILED


async def _read(address: ClusterAddress) -> tuple[Picture, ClusterAway | None]:
    """Return what is known of the fleet, and why that may have ended."""
    try:
        async with open_cluster(address, make=False) as cluster:
            picture = await read_picture(cluster.register)
            try:
                await cluster.check()
            except ClusterAway as exc:
                return picture, exc
            return picture, None
    except NoFleet:
        return Picture(), None


def _lines(picture: Picture, address: ClusterAddress) -> Iterator[str]:
    if not picture.rooms:
        yield f"no room: no worker has been started on the fleet {address}"
    for row in sorted(picture.rooms.values(), key=lambda row: (row.name, row.key)):
        yield _line(row)
    for name, entry in sorted(picture.workers.items()):
        has = sum(row.owner is not None and row.owner.run == entry.run for row in picture.rooms.values())
        most = f" of at most {entry.most}" if entry.most is not None else ""
        drains = ", draining" if entry.draining else ""
        since = iso_time(entry.since)
        where = f"on {entry.host} (process {entry.pid})"
        yield f"worker {name} {where}: rooms: {has}{most}{drains}, since {since}"
    if not picture.workers:
        yield "no worker runs"


def _line(row: RoomRow) -> str:
    if row.owner is None or row.since is None:
        return f"[DOWN] {row.name}: no owner ({row.why})"
    mark = "[OK]  " if row.ready else "[WAIT]"
    why = f" ({row.why})" if row.why else ""
    since = iso_time(row.since)
    return f"{mark} {row.name}: {row.owner.worker}, {row.queued or 0} queued, since {since}{why}"
