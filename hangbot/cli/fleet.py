"""``hangbot fleet``: rooms on several machines; each of its commands is a module of its own."""

import argparse
from collections.abc import Mapping
from typing import Final

from hangbot.cli.parser import CommandParser, add_common_options

__all__ = ["COMMANDS", "add_arguments"]

COMMANDS: Final[Mapping[str, str]] = {
    "run": "Run a worker: its share of a folder's rooms; a signal (INT, TERM, HUP) has it give them up.",
    "status": "Show the rooms, their owners and the workers.",
    "drain": "Have a worker give its rooms up and end.",
    "move": "Have another worker own a room; it also lets a room run again that was put out.",
    "dev": "Run three NATS servers on 127.0.0.1 for trying a fleet, until a signal (INT, TERM, HUP).",
    "check": "Ask the NATS servers for what a fleet promises; each miss says what could be lost.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add its commands."""
    what = parser.add_subparsers(dest="what", required=True, parser_class=CommandParser)
    common = CommandParser(add_help=False)
    add_common_options(common, defaults=False)
    for name, summary in COMMANDS.items():
        what.add_parser(name, parents=[common], help=summary, description=summary)
    what.metavar = "|".join(what.choices)  # names what is missing in the error about it
