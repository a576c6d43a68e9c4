"""The command line's grammar. `--help` is documentation: every option says what it does."""

import argparse
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from hangbot import __version__

__all__ = ["parse"]

_EXIT_CODES = """\
exit codes: 0 done; 1 it failed; 2 configuration or usage, known before anything was sent; 3 cannot tell
(network, time-out, uncertain); 4 kicked or banned by the room: not to be started again by itself;
130 Ctrl-C of a command that ends by itself.
Standard output carries results, standard error carries logs."""


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; ends the process with 2 where it cannot be read."""
    top = _Parser(
        prog="hangbot",
        description="A Hang.fm room bot that never loses or doubles a message. Without a command: run.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"hangbot {__version__}")
    _common(top, defaults=True)
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    common = _Parser(add_help=False)
    _common(common, defaults=False)

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            parents=[common],
            help=summary,
            description=summary,
            epilog=_EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    run = command(
        "run", "Run the bot: preflight, connect, join, deliver until SIGINT or SIGTERM, drain, report."
    )
    run.add_argument(
        "--sandbox", action="store_true", help="run on an embedded Hang.fm, without a configuration"
    )
    command(
        "demo", "Show a bot on an embedded Hang.fm in five seconds: lost, late and refused messages and all."
    )
    _sandbox(
        command("sandbox", "Run Hang.fm on 127.0.0.1 for any bot in any language, until SIGINT or SIGTERM.")
    )
    preflight = command("preflight", "Make the checks that `run` makes before it connects; nothing is sent.")
    _json(preflight)
    _send(
        command(
            "send", "Accept messages into the outbox; a running bot delivers them, else this command does."
        )
    )
    _outbox(command("outbox", "Look at the outbox and act on what failed, also while the bot is down."))
    _init(command("init", "Write hang-fm-config.env from one token and a room; the rest is derived."))
    new = command("new", "Make a folder with a bot of your own, and a test of it that is green at once.")
    new.add_argument("folder", type=Path, metavar="DIR", help="a folder that is not there yet, or empty")
    for word in itertools.takewhile(lambda word: word not in commands.choices, argv or ()):
        if word.startswith("--") and not top.knows(word):  # else what follows it is taken for the command
            top.error(f"unrecognized arguments: {word}")
    args, left = top.parse_known_args(argv)
    if args.command == "send" and not any(word.startswith("-") for word in left):
        args.words += left  # an option stood between the words of the text
    elif left:
        args.parser.error(f"unrecognized arguments: {' '.join(left)}")
    del args.parser
    args.command = args.command or "run"
    if args.command == "run":
        args.sandbox = getattr(args, "sandbox", False)
    if args.command == "send":
        args.text = " ".join(args.words) if args.words else None
        _check_send(top, args)
    # Whatever `send` prints on success, cron sends by mail.
    args.log_level = args.log_level or ("warning" if args.command == "send" else "info")
    return args


_NO_CHOICE: Final = re.compile(
    r"invalid choice: (?P<quote>['\"])(?P<word>.+)(?P=quote) \(choose from (?P<all>.+)\)"
)
_UNKNOWN: Final = re.compile(r"unrecognized arguments: (?P<words>.+)", re.DOTALL)
_OPTION: Final = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


class _Parser(argparse.ArgumentParser):
    """Says of a word that it does not know which one was most likely meant, and shows no secret."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401  as argparse has it
        super().__init__(**given)
        if given.get("add_help", True):
            self.set_defaults(parser=self)  # the innermost is the one that knows what it does not know

    def knows(self, word: str) -> bool:
        """Whether a word is one of its options, or an abbreviation of one."""
        return any(option.startswith(word.partition("=")[0]) for option in self._options())

    def _options(self) -> list[str]:
        return _OPTION.findall(self.format_help())

    def error(self, message: str) -> NoReturn:
        """End the process with 2 and a line under the usage."""
        from hangbot.cli.masking import masked  # noqa: PLC0415  a good call needs none of it
        from hangbot.text import printable  # noqa: PLC0415  see above

        if found := _NO_CHOICE.search(message):
            message += _meant([found["word"]], re.findall(r"[\w-]+", found["all"]))
        elif found := _UNKNOWN.search(message):
            words = [word.partition("=")[0] for word in found["words"].split() if word.startswith("--")]
            message += _meant(words, self._options())
        super().error(printable(masked(message)))


def _meant(words: Sequence[str], known: Sequence[str]) -> str:
    """Return the question whether what is known and nearest to the first of these words was meant."""
    from difflib import get_close_matches  # noqa: PLC0415  see above

    close = [match for word in words for match in get_close_matches(word[:_LONGEST], known, 1, _CLOSE)]
    return f"; did you mean {close[0]}?" if close else ""


_LONGEST: Final = 64
_CLOSE: Final = 0.6


def _common(parser: argparse.ArgumentParser, *, defaults: bool) -> None:
    """Add the options that may stand before or after the command; only before it they have defaults."""

    def default(value: object) -> object:
        return value if defaults else argparse.SUPPRESS

    group = parser.add_argument_group("common options")
    group.add_argument(
        "--env-file",
        type=Path,
        metavar="PATH",
        default=default(None),
        help="the configuration (default: hang-fm-config.env here); the environment wins over it",
    )
    group.add_argument(
        "--app",
        metavar="MODULE:NAME",
        default=default(None),
        help="your own `async def NAME(bot, message)`, called for every message of others",
    )
    group.add_argument(
        "--log-format",
        choices=["text", "json"],
        default=default("text"),
        help="how log lines look (default: text)",
    )
    group.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error"],
        default=default(None),
        help="the least that is logged (default: info; of send: warning)",
    )


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _sandbox(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dialect",
        choices=["openchat", "cometchat"],
        default="openchat",
        help="which chat server to be (default: openchat, what Hang.fm runs)",
    )
    for name, what, default in (
        ("room", "the room socket", "chosen by the kernel"),
        ("http", "chat and gateway", "chosen by the kernel; with --tls 443"),
        ("control", "the control API", "chosen by the kernel"),
    ):
        parser.add_argument(
            f"--{name}-port", type=_port, metavar="N", help=f"port of {what} (default: {default})"
        )
    parser.add_argument(
        "--history", type=_count, default=1000, metavar="N", help="messages kept per group (default: 1000)"
    )
    parser.add_argument(
        "--env-out",
        type=Path,
        metavar="FILE",
        help="write a configuration for a bot in this sandbox to FILE; over its own earlier file it keeps "
        "the bot and the room, over another's it writes only with --force",
    )
    parser.add_argument(
        "--force", action="store_true", help="let --env-out write over a file that is not its own"
    )
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="write the whole journal to FILE, a JSON a line"
    )
    parser.add_argument(
        "--tls",
        action="store_true",
        help="make a certificate for Hang.fm's host names and serve room, chat and gateway on one port by "
        "them, for bots with addresses in their code; says what to put where (extra: hangbot[tls])",
    )
    parser.add_argument(
        "--tls-cert", type=Path, metavar="FILE", help="serve chat and gateway over TLS: certificate"
    )
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="serve chat and gateway over TLS: key")


def _send(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="TEXT", help="what to say, in one word or several")
    parser.add_argument("--stdin", action="store_true", help="read texts from standard input, one a line")
    parser.add_argument(
        "--to", metavar="ID", help="a group GUID, or a user's uid for a direct message (default: the room)"
    )
    parser.add_argument(
        "--id", metavar="ID", help="the stable id (default: made here); the same id is the same message"
    )
    parser.add_argument(
        "--wait",
        nargs="?",
        type=_seconds,
        const=60.0,
        metavar="SECONDS",
        help="wait until it is settled, 60 s at most by default; exit 0 delivered, 1 failed, 3 uncertain",
    )
    _json(parser)


def _check_send(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    if args.stdin == (args.text is not None):
        parser.error("send takes either TEXT or --stdin")
    if args.stdin and args.id:
        parser.error("send --stdin makes an id a line: --id goes with TEXT")


def _outbox(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True)
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
    backup.add_argument("file", type=Path, metavar="FILE", help="the copy; there must be nothing yet")
    what.metavar = "|".join(what.choices)  # what is missing when it is said that something is
    for sub in (listing, show, retry, drop, stats):
        _json(sub)
    for sub in (listing, show, retry, drop, stats, backup):
        _common(sub, defaults=False)


def _init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="F",
        help="the file with the bot's token, - for standard input (default: asked)",
    )
    parser.add_argument(
        "--room", metavar="SLUG|UUID", help="the room, by its name in the address, the address, or its uuid"
    )
    parser.add_argument("--force", action="store_true", help="write the file anew where there is one")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:  # noqa: PLR2004  the highest port
        raise argparse.ArgumentTypeError(f"{text!r} is no port (0 to 65535)")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds
