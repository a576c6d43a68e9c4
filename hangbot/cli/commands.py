"""From a command line to its command, and from every error of it to a line and an exit code."""

import argparse
import gc
import itertools
import signal
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final

from hangbot import __version__
from hangbot.cli import early_signals
from hangbot.cli.masking import reset_masking
from hangbot.cli.output import report, report_lines
from hangbot.cli.parser import CommandParser, Parser, add_common_options
from hangbot.errors import ConfigError, HangbotError
from hangbot.exit_codes import FAILED, INTERRUPTED
from hangbot.system_errors import explained

__all__ = ["COMMANDS", "dispatch", "parse"]

COMMANDS: Final[Mapping[str, str]] = {
    "run": "Run the bot: preflight, connect, join, deliver until a signal (INT, TERM, HUP), drain, report.",
    "demo": "Show a bot on an embedded Hang.fm in five seconds: lost, late and refused messages and all.",
    "sandbox": "Run Hang.fm on 127.0.0.1 for any bot in any language, until a signal (INT, TERM, HUP).",
    "preflight": "Make the checks that `run` makes before it connects; nothing is sent.",
    "status": "Say how the running bot is, part by part: 0 ready, 1 not ready, 3 not running or cannot tell.",
    "send": "Accept messages into the outbox; a running bot delivers them, else this command does.",
    "outbox": "Look at the outbox and act on what failed, also while the bot is down.",
    "fleet": "Rooms on several machines, on NATS JetStream: try it, check the servers.",
    "bundle": "Write all that is known of a bot into one file, safe to post: no secret, no name, no text.",
    "replay": "Play an incident from its bundle to the bot of today, offline: 0 alike, 1 different.",
    "init": "Write hang-fm-config.env from one token and a room; the rest is derived.",
    "prove": "Prove any bot, in any language: what Hang.fm does to bots, on a sandbox; a verdict, a report.",
    "new": "Make a folder with a bot of your own, and a test of it that is green at once.",
}
"""Each command is the module of its name in this package: see `hangbot.cli.parser.Command`."""

_EXIT_CODES: Final = """\
exit codes: 0 done; 1 it failed; 2 configuration or usage, known before anything was sent; 3 cannot tell
(network, time-out, uncertain); 4 kicked or banned by the room: not to be started again by itself;
130 Ctrl-C of a command that ends by itself.
Standard output carries results, standard error carries logs."""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line, by default of `run`; end the process with 2 where it cannot be read."""
    top = Parser(
        prog="hangbot",
        description="A Hang.fm room bot that never loses or doubles a message. Without a command: run.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"hangbot {__version__}")
    add_common_options(top, defaults=True)
    top.set_defaults(until_stopped=False, quiet_level="info", complete=None)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=CommandParser)
    common = CommandParser(add_help=False)
    add_common_options(common, defaults=False)
    for name, summary in COMMANDS.items():
        commands.add_parser(
            name,
            parents=[common],
            help=summary,
            description=summary,
            epilog=_EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    for word in itertools.takewhile(lambda word: word not in COMMANDS, argv):
        if word.startswith("--") and not top.knows(word):  # argparse would take the next word for the command
            top.error(f"unrecognized arguments: {word}")
    args, rest = top.parse_known_args(argv)
    if args.command is None and not rest:
        args, rest = top.parse_known_args([*argv, "run"])
    problem = args.complete(args, rest) if args.complete else ""
    if rest:
        args.parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if problem:
        top.error(problem)
    args.log_level = args.log_level or args.quiet_level
    args.env_files, args.read_configurations = args.env_files or [], {}
    if len(args.env_files) > 1 and args.command != "run":
        top.error(f"{args.command} is about one bot, and --env-file is given {len(args.env_files)} times")
    args.env_file = args.env_files[0] if args.env_files else None
    return args


def dispatch(argv: list[str]) -> int:
    """Run a command and return its exit code.

    Every error that an operator can meet ends here, in a line that says what happened and what
    to do; a fault of hangbot's own says so, and shows its traceback with ``--log-level debug``.
    """
    reset_masking(argv)
    args = argparse.Namespace(log_level=None)
    try:
        args = parse(argv)
        if args.until_stopped:
            early_signals.end_at_once()
        else:
            early_signals.give_back()
        return int(args.run(args))
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would interrupt the ending
        report("interrupted")
        return INTERRUPTED
    except Exception as exc:
        known = explained(exc)
        if known is not None:
            if known is not exc:
                _discard(exc)
            return _report_error(known)
        if args.log_level == "debug":
            sys.excepthook = _show_traceback
            raise
        report(f"a fault of hangbot itself ({type(exc).__name__}): report what --log-level debug shows")
        return FAILED


def _discard(error: Exception) -> None:
    """Drop what an error of the system left half made, such as a loop without files, without warnings."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traceback.clear_frames(error.__traceback__)
            error.__traceback__ = error.__context__ = error.__cause__ = None
            gc.collect()
    finally:
        sys.unraisablehook = hook


def _report_error(error: HangbotError) -> int:
    warned = error.warnings if isinstance(error, ConfigError) else ()
    if isinstance(error, ConfigError) and (len(error.faults) > 1 or warned):
        for line in (*error.faults, *warned, error.remedy):
            report(line)
    else:
        message = str(error).rstrip(".")
        report(f"{message}. {error.remedy}")
    return error.exit_code


def _show_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show what ended the program as the interpreter does, but with the text of others escaped."""
    report_lines("".join(traceback.format_exception(kind, error, trace)).rstrip())
