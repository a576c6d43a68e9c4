"""``hangbot outbox``: list messages and act on failed ones, whether the bot is up or down."""

import argparse
import asyncio
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from hangbot.cli import early_signals, show
from hangbot.cli.configured import configured
from hangbot.cli.context import ENV_FILE, load_settings
from hangbot.cli.listing import WIDTH, list_lines
from hangbot.cli.output import write_failure, write_json, write_line
from hangbot.cli.parser import Parser, add_common_options, add_json_option, path_to_write
from hangbot.clock import SystemClock
from hangbot.config.cluster import SCHEME
from hangbot.config.locations import OUTBOX, outbox_location
from hangbot.delivery.naming import named, short_names
from hangbot.delivery.outbox import Outbox, exclusive
from hangbot.delivery.outbox_file import OutboxFile
from hangbot.delivery.record import OutboxRow, State, Step
from hangbot.delivery.stats import compute_stats
from hangbot.errors import OutboxBusy, OutboxUnusable, UsageError
from hangbot.exit_codes import FAILED
from hangbot.factory import open_outbox
from hangbot.status import poke

__all__ = ["add_arguments", "run"]

_ENDED_BY: Final = 128
_PATIENCE: Final = 60.0
"""Seconds to wait for an outbox that another program has locked."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    what = parser.add_subparsers(dest="what", required=True, parser_class=Parser)
    listing = what.add_parser("list", help="list messages, oldest first")
    for state in ("failed", "uncertain", "queued", "delivered"):
        listing.add_argument(
            f"--{state}", dest="states", action="append_const", const=state, help=f"only the {state} ones"
        )
    show = what.add_parser("show", help="show a message with its history, its last answer and what to do")
    show.add_argument("id", metavar="ID")
    retry = what.add_parser(
        "retry", help="queue messages again under their id; whether they arrived is asked first"
    )
    retry.add_argument("ids", nargs="*", metavar="ID")
    retry.add_argument("--all-failed", action="store_true", help="all failed ones")
    retry.add_argument("--all-uncertain", action="store_true", help="all uncertain ones")
    drop = what.add_parser("drop", help="give messages up; they stay listed as dropped")
    drop.add_argument("ids", nargs="+", metavar="ID")
    stats = what.add_parser("stats", help="show counts, first-try rate and latencies")
    backup = what.add_parser("backup", help="copy the outbox into one new file, also while the bot runs")
    backup.add_argument(
        "file", type=path_to_write, metavar="FILE", help="the copy; there must be nothing yet"
    )
    what.metavar = "|".join(what.choices)  # names what is missing in the error about it
    for sub in (listing, show, retry, drop, stats):
        add_json_option(sub)
    for sub in (listing, show, retry, drop, stats, backup):
        add_common_options(sub, defaults=False)


def run(args: argparse.Namespace) -> int:
    """Run the chosen action."""
    return asyncio.run(_ACTIONS[args.what](args))


@asynccontextmanager
async def _open(args: argparse.Namespace) -> AsyncIterator[Outbox]:
    """Open an outbox that exists; looking at one must not create it."""
    if configured(args, OUTBOX).startswith(SCHEME):  # whose room it is, the configuration says
        async with open_outbox(load_settings(args), binds=False, patience=_PATIENCE) as outbox:
            yield outbox
        return
    path = _path(args)
    if not path.exists():
        raise OutboxUnusable(
            f"there is no outbox {path}", remedy="Check HANGBOT_OUTBOX; `hangbot send` makes one."
        )
    outbox = Outbox(OutboxFile(path, patience=_PATIENCE))
    try:
        await outbox.open()
        yield outbox
    finally:
        await outbox.close()


def _path(args: argparse.Namespace) -> Path:
    """Find the outbox as `run` does; the rest of the configuration may be missing or wrong."""
    return outbox_location(args.env_file or ENV_FILE, configured(args, OUTBOX) or None).path


async def _list(args: argparse.Namespace) -> int:
    async with _open(args) as outbox:
        states: list[State] = list(args.states or ())
        if "queued" in states:
            states.append("sending")  # to an operator both are queued
        rows = await outbox.rows(states)
        group_ids = await outbox.group_ids()
    if not rows and not args.json:
        write_line(
            f"no message is {' or '.join(args.states)}"
            if args.states and group_ids
            else "the outbox is empty"
        )
    _print_rows(rows, group_ids, as_json=args.json)
    return _output_code()


async def _show(args: argparse.Namespace) -> int:
    async with _open(args) as outbox:
        key, *parts = named(args.id, await outbox.group_ids())
        row = await outbox.get(key)
        history = [*await outbox.history(key), *await _held_up_by(outbox, row)]
        others = [await outbox.get(part) for part in parts]
    if args.json:
        write_json(show.message_row(row, history))
        return _output_code()
    write_line(show.stored_line(row))
    if row.remedy:
        write_line(f"  -> {row.remedy}")
    for step in history:
        shown = show.message_row(row, [step])["history"][0]
        write_line(f"  {shown['at']}  {shown['event']:<8}  {shown['detail']}".rstrip())
    for other in others:
        write_line(show.stored_line(other))
    return _output_code()


async def _held_up_by(outbox: Outbox, row: OutboxRow) -> list[Step]:
    """Return why the message before it waits: a receiver's messages are sent in order, one at a time."""
    if row.state != "queued":
        return []
    waiting = (each for each in await outbox.rows(["queued", "sending"]) if each.message.to == row.message.to)
    first = next(waiting, row)
    if first.message.id == row.message.id:
        return []
    last = (await outbox.history(first.message.id))[-1]
    if last.kind != "waiting":
        return []
    return [last._replace(id=row.message.id, detail=f"behind {first.message.id}: {last.detail}")]


async def _retry(args: argparse.Namespace) -> int:
    async with _open(args) as outbox:
        file = outbox.place.path if isinstance(outbox.place, OutboxFile) else None
        group_ids = await outbox.group_ids()
        keys = [key for given in args.ids for key in named(given, group_ids)]
        if args.all_failed:
            keys += [row.message.id for row in await outbox.rows(["failed"])]
        if args.all_uncertain:
            keys += [row.message.id for row in await outbox.rows(["uncertain"])]
        if not keys and not (args.all_failed or args.all_uncertain):
            raise UsageError(
                "retry takes ids, --all-failed or --all-uncertain", remedy="`hangbot outbox list` shows ids."
            )
        rows = await outbox.requeue(list(dict.fromkeys(keys)), SystemClock().wall())
        running = file is not None and _runs(file)
        if file and rows and running:
            await poke(file, clock=SystemClock())
    _print_rows(rows, group_ids, as_json=args.json)
    if not args.json:
        write_line(
            "nothing to retry"
            if not any(row.state in {"queued", "sending"} for row in rows)
            else "queued: the room's worker delivers"
            if file is None
            else "the running bot takes it from here"
            if running
            else "queued: no bot runs, the next one delivers"
        )
    return FAILED if any(row.state not in {"queued", "sending", "delivered"} for row in rows) else 0


async def _drop(args: argparse.Namespace) -> int:
    async with _open(args) as outbox:
        group_ids = await outbox.group_ids()
        keys = [key for given in args.ids for key in named(given, group_ids)]
        rows = await outbox.drop(list(dict.fromkeys(keys)), SystemClock().wall())
    _print_rows(rows, group_ids, as_json=args.json)
    return FAILED if any(row.state == "delivered" for row in rows) else 0


async def _stats(args: argparse.Namespace) -> int:
    async with _open(args) as outbox:
        figures = compute_stats(await outbox.timings(), SystemClock().wall()).as_row()
    if args.json:
        write_json(figures)
    else:
        for line in show.table(
            [("figure", "value"), *((name, _value(value)) for name, value in figures.items())]
        ):
            write_line(line)
    return _output_code()


def _output_code() -> int:
    """Return the exit code of an action whose only purpose is output: a failure to write is a failure."""
    return FAILED if write_failure() else 0


async def _backup(args: argparse.Namespace) -> int:
    ended = list[int]()
    for number in early_signals.heard():
        if number != signal.SIGINT:  # the copy is either finished or removed; what Ctrl-C raises removes it
            asyncio.get_running_loop().add_signal_handler(number, ended.append, number)
    async with _open(args) as outbox:
        messages = await outbox.back_up(args.file)
    write_line(f"{args.file}: {messages} messages")
    return _ENDED_BY + ended[0] if ended else 0


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _runs(path: Path) -> bool:
    try:
        with exclusive(path, brief=True):
            return False
    except OutboxBusy:
        return True


def _print_rows(rows: list[OutboxRow], group_ids: Mapping[str, str], *, as_json: bool) -> None:
    if as_json:
        write_json([show.message_row(row) for row in rows])
    elif rows:
        for line in list_lines(rows, short_names(group_ids), SystemClock().wall(), width=_width()):
            write_line(line)


def _width() -> int:
    """Return the columns of the terminal; without one, the least."""
    stream = sys.stdout
    return max(shutil.get_terminal_size((WIDTH, 0)).columns, WIDTH) if stream.isatty() else WIDTH


_ACTIONS = {"list": _list, "show": _show, "retry": _retry, "drop": _drop, "stats": _stats, "backup": _backup}
