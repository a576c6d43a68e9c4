"""``hangbot replay``: an incident from its bundle, played to the bot of today, without a network."""

import argparse
from pathlib import Path

from hangbot.cli.app import load_apps
from hangbot.cli.output import write_json, write_line
from hangbot.cli.parser import add_json_option, path_to_write
from hangbot.exit_codes import FAILED
from hangbot.incident.as_test import refuse_test, write_test
from hangbot.incident.bundle import Bundle, read_bundle
from hangbot.incident.conversation import conversation, pair_row
from hangbot.incident.outcome import Pair, is_alike
from hangbot.incident.replay import replayed

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a file that `hangbot bundle` wrote")
    parser.add_argument(
        "--as-test",
        type=path_to_write,
        metavar="FILE",
        help="write a test that fails while the bot of today differs; the bundle is copied beside it",
    )
    add_json_option(parser)
    parser.set_defaults(quiet_level="error")


def run(args: argparse.Namespace) -> int:
    """Replay, print what differs, and return 0 where nothing does.

    Raises:
        UsageError: The bundle cannot be read, or has no journal.
    """
    app, bundle = load_apps(args.app, Path()), read_bundle(args.bundle)
    if args.as_test:
        refuse_test(args.bundle, args.as_test)
    pairs = replayed(bundle, app=app).pairs()
    alike = is_alike(pairs)
    if args.json:
        write_json({"alike": alike, "facts": [pair_row(pair) for pair in pairs]})
    else:
        _print(bundle, pairs, alike=alike)
    if args.as_test:
        beside = write_test(args.bundle, args.as_test)
        if not args.json:
            write_line(f"made {args.as_test}, with the bundle beside it: {beside}")
    return 0 if alike else FAILED


def _print(bundle: Bundle, pairs: list[Pair], *, alike: bool) -> None:
    made = f"{bundle.manifest.get('created')} by hangbot {bundle.manifest.get('hangbot')}"
    write_line(f"the incident of a bundle of {made}, and the bot of today (-: only then, +: only now)")
    write_line(f"  {'then s':>9} {'now s':>9}")
    for line in conversation(pairs):
        write_line(line)
    differences = sum(pair.counts and None in (pair.then, pair.now) for pair in pairs)
    write_line(
        "alike: the bot of today does the same" if alike else f"different: {differences} facts are not alike"
    )
