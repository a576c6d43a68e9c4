"""``hangbot fleet dev``: three NATS servers on 127.0.0.1."""

import argparse
import asyncio
from functools import partial
from pathlib import Path

from hangbot.cli.output import write_failure, write_json
from hangbot.cli.parser import path_to_write
from hangbot.cli.signals import serve_until_stopped
from hangbot.exit_codes import FAILED
from hangbot.fleet.servers import open_servers
from hangbot.logs import set_up
from hangbot.redact import Redactor

__all__ = ["add_arguments", "run"]


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
    return asyncio.run(serve_until_stopped(partial(_serve, args)))


async def _serve(args: argparse.Namespace, stop: asyncio.Event) -> int:
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
    async with open_servers(folder=args.keep, sync=args.sync, binary=args.nats_server) as servers:
        write_json({"event": "ready", "outbox": servers.address, "servers": servers.shown()})
        if isinstance(write_failure(), BrokenPipeError):
            return FAILED  # its caller has gone, and no other program can know its ports
        await stop.wait()
    return 0
