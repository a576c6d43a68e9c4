"""``hangbot status``: how the bot is that runs on this outbox."""

import argparse
import asyncio
import json
from typing import Any, Final

from hangbot.cli.asking import ask_bot, where_it_is
from hangbot.cli.context import load_settings
from hangbot.cli.output import report, write_json, write_line
from hangbot.cli.parser import add_json_option
from hangbot.config import Settings
from hangbot.errors import HangbotError
from hangbot.exit_codes import CANNOT_TELL, FAILED
from hangbot.status import lines

__all__ = ["add_arguments", "run"]

_WITHIN: Final = 5.0
"""Seconds for which the bot may be busy before it counts as hanging."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_json_option(parser)
    parser.set_defaults(quiet_level="warning")


def run(args: argparse.Namespace) -> int:
    """Ask the bot, print what it answers, and return 0 where it is ready."""
    settings = load_settings(args)
    try:
        row = asyncio.run(_ask(settings))
    except HangbotError as exc:
        return _cannot_tell(args, "cannot_tell", f"{exc}. {exc.remedy}")
    if row is None:
        return _cannot_tell(args, "not_running", f"no bot runs on the outbox {where_it_is(settings)}")
    if args.json:
        write_json({"state": "ready" if row["ready"] else "not_ready", **row})
    else:
        for line in lines(row):
            write_line(line)
    return 0 if row["ready"] else FAILED


def _cannot_tell(args: argparse.Namespace, state: str, sentence: str) -> int:
    if args.json:
        write_json({"state": state, "error": sentence})
    else:
        report(sentence)
    return CANNOT_TELL


async def _ask(settings: Settings) -> dict[str, Any] | None:
    """Return the row that the bot answers, or ``None`` where none runs.

    Raises:
        HangbotError: It does not answer, or what answers is no bot.
    """
    answer = await ask_bot(settings, "/healthz", within=_WITHIN)
    if answer is None:
        return None
    try:
        row = json.loads(answer)
        if isinstance(row, dict) and isinstance(row["ready"], bool):
            return row
    except (ValueError, RecursionError, KeyError):
        pass
    raise HangbotError(
        "what answers at the bot's socket speaks another way",
        remedy="Is it of another version? Ask with the hangbot that the bot runs with.",
    )
