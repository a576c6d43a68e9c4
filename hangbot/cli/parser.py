"""The parts of the command line's grammar that commands share; each command adds its own options.

`--help` is documentation: every option says what it does.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol, cast

__all__ = [
    "Command",
    "CommandParser",
    "Parser",
    "add_common_options",
    "add_json_option",
    "count",
    "path_to_write",
    "port",
    "seconds",
]


class Command(Protocol):
    """The module of a command."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's own options.

        Defaults that `hangbot.cli.commands` reads besides: ``until_stopped``, whether a signal is the
        command's good end; ``quiet_level``, its log level where none is given; ``complete``, a function
        that takes the namespace and the words left over, may use these up, and returns what is wrong.
        """

    def run(self, args: argparse.Namespace) -> int:
        """Run the command and return its exit code."""


Complete = Callable[[argparse.Namespace, list[str]], str]

_NO_CHOICE: Final = re.compile(
    r"invalid choice: (?P<quote>['\"])(?P<word>.+)(?P=quote) \(choose from (?P<all>.+)\)"
)
_UNKNOWN: Final = re.compile(r"unrecognized arguments: (?P<words>.+)", re.DOTALL)
_OPTION: Final = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_LONGEST: Final = 64
_CLOSE: Final = 0.6


class Parser(argparse.ArgumentParser):
    """Suggests what was most likely meant by an unknown word, and shows no secret."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  as argparse has it
        super().__init__(**options)
        if options.get("add_help", True):
            self.set_defaults(parser=self)  # the innermost one knows which options there are

    def knows(self, word: str) -> bool:
        """Whether a word is one of its options, or an abbreviation of one."""
        return any(option.startswith(word.partition("=")[0]) for option in self._options())

    def _options(self) -> list[str]:
        return _OPTION.findall(self.format_help())

    def error(self, message: str) -> NoReturn:
        """End the process with 2 and a line under the usage."""
        from hangbot.cli.masking import masked  # noqa: PLC0415  a valid call needs none of it
        from hangbot.text import printable  # noqa: PLC0415  see above

        if found := _NO_CHOICE.search(message):
            message += _suggestion([found["word"]], re.findall(r"[\w-]+", found["all"]))
        elif found := _UNKNOWN.search(message):
            words = [word.partition("=")[0] for word in found["words"].split() if word.startswith("--")]
            message += _suggestion(words, self._options())
        super().error(printable(masked(message)))


def _suggestion(words: Sequence[str], known: Sequence[str]) -> str:
    """Ask whether the known word was meant that is nearest to the first of these."""
    from difflib import get_close_matches  # noqa: PLC0415  see above

    close = [match for word in words for match in get_close_matches(word[:_LONGEST], known, 1, _CLOSE)]
    return f"; did you mean {close[0]}?" if close else ""


class CommandParser(Parser):
    """The parser of a command; loads the command's module when the command is called, and not before.

    ``hangbot fleet dev`` is the module `hangbot.cli.fleet_dev`. One that only has commands of its own, like
    ``hangbot fleet``, has no ``run``.
    """

    def parse_known_args(  # type: ignore[override]  # the two overloads of typeshed in one
        self,
        args: Sequence[str] | None = None,
        namespace: Any = None,  # noqa: ANN401  see there
    ) -> tuple[Any, list[str]]:
        """Add the command's options, then parse."""
        name = "_".join(self.prog.split()[1:])
        command = cast("Command", import_module(f"hangbot.cli.{name}"))
        command.add_arguments(self)
        if hasattr(command, "run"):
            self.set_defaults(run=command.run)
        return super().parse_known_args(args, namespace)


def add_common_options(parser: argparse.ArgumentParser, *, defaults: bool) -> None:
    """Add the options that may stand before or after the command; only before it they have defaults."""

    def default(value: object) -> object:
        return value if defaults else argparse.SUPPRESS

    group = parser.add_argument_group("common options")
    group.add_argument(
        "--env-file",
        type=Path,
        metavar="PATH",
        action="append",
        dest="env_files",
        default=default(None),
        help="the configuration (default: hang-fm-config.env here); the environment wins over it; "
        "`run` takes several, a bot each",
    )
    group.add_argument(
        "--app",
        metavar="MODULE:NAME",
        action="append",
        default=default(None),
        help="your own app: a `hangbot.App`, an `async def NAME(bot, message)`, or an object with "
        "`on_message`; of an installed one its name; several are given one by one",
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


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def port(text: str) -> int:
    """Read a port."""
    if not text.isdecimal() or int(text) > 65_535:  # noqa: PLR2004  the highest port
        raise argparse.ArgumentTypeError(f"{text!r} is no port (0 to 65535)")
    return int(text)


def count(text: str) -> int:
    """Read a number from 1 on."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def path_to_write(text: str) -> Path:
    """Read where a file or a folder is to be made."""
    if text in {"", "-"}:
        raise argparse.ArgumentTypeError(f"{text!r} is no path of what is to be made")
    return Path(text)


def seconds(text: str) -> float:
    """Read a number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return value
