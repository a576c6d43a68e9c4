"""``hangbot fleet dev``: three NATS servers on 127.0.0.1."""

import argparse
import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import Final

from hangbot.cli.output import write_failure, write_json
from hangbot.cli.parser import path_to_write
from hangbot.cli.signals import run_until_stopped
from hangbot.clock import SystemClock
from hangbot.exit_codes import FAILED
from hangbot.fleet.servers import Servers, open_servers
from hangbot.logs import set_up
from hangbot.redact import Redactor

__all__ = ["add_arguments", "run"]

logger = logging.getLogger(__name__)

_LOOK_S: Final = 0.3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.set_defaults(until_stopped=True)
    parser.add_argument(
        "--keep",
        type=path_to_write,
        metavar="DIR",
        help="keep what they store, and their logs, in DIR, and go on over what is there",
    )
    parser.add_argument(
        "--sync",
        choices=["always", "default"],
        default="always",
        help="when they write to disk: before they acknowledge (default), or within two minutes, to see what "
        "that loses",
    )
    parser.add_argument(
        "--nats-server",
        type=Path,
        metavar="PATH",
        help="the server to run (default: that of hangbot[fleet-dev], else the one of the PATH)",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until a signal (INT, TERM, HUP); the first line on standard output is the ``ready`` line."""
    set_up(args.log_format, args.log_level, Redactor())
    return run_until_stopped(partial(_serve, args))


async def _serve(args: argparse.Namespace, stop: asyncio.Event) -> int:
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
    async with open_servers(folder=args.keep, sync=args.sync, binary=args.nats_server) as servers:
        write_json({"event": "ready", "outbox": servers.address, "servers": servers.shown()})
        if isinstance(write_failure(), BrokenPipeError):
            return FAILED  # its caller has gone, and no other program can know its ports
        watching = asyncio.create_task(_watch(servers), name="the servers' ends")
        try:
            await stop.wait()
        finally:
            watching.cancel()
            await asyncio.wait({watching})
    return 0


async def _watch(servers: Servers) -> None:
    """Log the end of each server that ends by itself; the others go on."""
    running, clock = set(range(len(servers))), SystemClock()
    while running:
        for number in sorted(running):
            if ending := servers.ending(number):
                running.discard(number)
                words = "[ERROR] NATS server n%d has ended with %s; servers that go on: %d"
                logger.error(words, number, ending, len(running), extra={"action": "server_ended"})
        await clock.sleep(_LOOK_S)
