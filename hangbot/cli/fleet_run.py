"""``hangbot fleet run``: a worker, which runs its share of a folder's rooms."""

import argparse
import logging
import os
import re
import socket
from collections import Counter
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Final

from hangbot import __version__
from hangbot.cli.app import load_apps
from hangbot.cli.context import set_up_logs
from hangbot.cli.ending import run_to_end
from hangbot.cli.masking import mask_also
from hangbot.cli.owned_bot import Bots, run_owned
from hangbot.cli.parser import count
from hangbot.cli.run import until_stopped
from hangbot.cli.signals import Signals
from hangbot.clock import SystemClock
from hangbot.errors import ConfigError, UsageError
from hangbot.factory import open_fleet
from hangbot.fleet.claim import Holder
from hangbot.fleet.folder import RoomConfig, RoomFolder
from hangbot.fleet.lookout import Lookout
from hangbot.fleet.worker import Worker, WorkerOptions
from hangbot.ids import SYSTEM_RNG, new_id
from hangbot.logs import Log
from hangbot.ops.fleet import FleetShown, PortAddress, open_fleet_port

__all__ = ["add_arguments", "own_name", "run"]

logger = logging.getLogger("hangbot")

_LOOPBACK: Final = "127.0.0.1"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.set_defaults(until_stopped=True)
    parser.add_argument(
        "--rooms",
        type=Path,
        metavar="DIR",
        required=True,
        help="the folder whose *.env files are the rooms; every worker has the same",
    )
    parser.add_argument("--most", type=count, metavar="N", help="take N rooms at most (default: any number)")
    parser.add_argument(
        "--worker",
        type=worker_name,
        metavar="NAME",
        help="what this worker is called in the fleet (default: the name of the machine)",
    )


def worker_name(text: str) -> str:
    """Read the name of a worker."""
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name: letters, digits, _ and -, at most 64")
    return text


def own_name() -> str:
    """Return what a worker of this machine is called where it is given no name."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", socket.gethostname())[:64] or "worker"


def run(args: argparse.Namespace) -> int:
    """Run until a signal (INT, TERM, HUP), then give the rooms up."""
    if args.env_files:
        raise UsageError(
            "a worker runs the rooms of a folder, and --env-file names one bot",
            remedy="Put the file into the folder of --rooms.",
        )
    return run_to_end(partial(until_stopped, partial(_work, args)))


async def _work(args: argparse.Namespace, signals: Signals) -> int:
    folder = RoomFolder(args.rooms, os.environ)
    await folder.look()
    every = [room.settings for room in folder.rooms.values()]
    if not every:
        raise _no_room(folder)
    log = set_up_logs(args, *every)
    bots = Bots(args.worker or own_name(), log, load_apps(args.app, args.rooms))
    _warn_of_environment(folder.rooms.values())
    address = _port_address(folder.rooms.values())
    folder.known = lambda settings: _mask(log, *settings.secrets())
    clock = SystemClock()
    async with log.settling(clock), open_fleet(every[0]) as cluster:
        holder = Holder(bots.worker, new_id(SYSTEM_RNG)[:16], socket.gethostname(), os.getpid())
        options = WorkerOptions(holder, __version__, args.most)
        run_room = partial(run_owned, bots=bots)
        worker = Worker(options, cluster, folder, run_room, clock=clock, rng=SYSTEM_RNG)
        signals.stop = worker.drain
        lookout = Lookout(cluster.register, bots.worker, clock)
        shown = FleetShown(worker, options, folder, clock.wall(), lookout, bots.shown)
        hide, on_token = log.redactor.text, partial(_mask, log)
        async with open_fleet_port(address, shown, args.rooms, hide=hide, on_token=on_token, clock=clock):
            await worker.run()
    return 0


def _port_address(rooms: Collection[RoomConfig]) -> PortAddress:
    """Return where the worker's port is opened: its environment says that, for all rooms the same."""
    named = sorted(f"{room.name}.env" for room in rooms if room.settings.stands_in_file("status_port"))
    if named:
        words = "HANGBOT_STATUS_PORT in %s is passed over: a worker has one port, by its own environment"
        logger.warning(words, ", ".join(named), extra={"action": "status"})
    one = next(iter(rooms)).settings
    port = None if one.stands_in_file("status_port") else one.status_port
    return PortAddress(_LOOPBACK if one.stands_in_file("status_host") else one.status_host, port)


def _warn_of_environment(rooms: Collection[RoomConfig]) -> None:
    """Name what this worker's environment has in place of what the rooms' files say."""
    names = Counter(name for room in rooms for name in room.overruled)
    if names:
        counted = ", ".join(f"{name} (files: {count})" for name, count in sorted(names.items()))
        words = "this worker's environment wins over what the rooms' files say of %s"
        logger.warning(words, counted, extra={"action": "environment"})


def _no_room(folder: RoomFolder) -> ConfigError:
    faults = [f"{name}.env: {why}" for name, why in folder.faulty.items()]
    what = f"has no file that can be used: {'; '.join(faults)}" if faults else "has no *.env file"
    return ConfigError(
        f"the folder {folder.path} {what}",
        faults=faults,
        remedy="Each room is a file there, as `hangbot init` writes one, with HANGBOT_OUTBOX=nats://HOST,HOST,HOST.",
    )


def _mask(log: Log, *secrets: str) -> None:
    """Mask secrets that were read after the start."""
    mask_also(secrets)
    for secret in secrets:
        log.redactor.add(secret)
