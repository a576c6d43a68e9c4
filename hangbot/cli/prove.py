"""``hangbot prove``: any bot through every scenario; a front for ``pytest --pyargs pytest_hangfm.proof``."""

import argparse
import importlib.util
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from hangbot.cli import early_signals
from hangbot.cli.parser import count, path_to_write
from hangbot.errors import HangbotError, UsageError
from hangbot.exit_codes import INTERRUPTED
from hangbot.given_file import check_file
from hangbot.tied import tied

__all__ = ["add_arguments", "run"]

_NEEDED: Final = ("pytest", "pytest_asyncio", "pytest_hangfm")
_QUIET: Final = (
    "-qq",
    "--no-header",
    "--no-summary",
    "--tb=no",
    "-s",
    "-p",
    "no:randomly",
    "-p",
    "no:cacheprovider",
)
_NOT_PASSED_ON: Final = frozenset({"PYTEST_ADDOPTS", "PYTEST_PLUGINS"})
_TIERS: Final = ("bronze", "silver", "gold", "platinum")
_OF_PYTEST: Final = {2: INTERRUPTED, 4: 2, 5: 2}
"""pytest's own ends: interrupted, wrong usage, nothing to run."""
_ENDING_S: Final = 30.0
_LONGEST_SEARCH: Final = 24 * 60
_NOT_WITH_REPLAY: Final = ("search", "quick", "long", "speed", "learn", "only")


class _NotInstalled(HangbotError):
    """What proves bots is missing."""

    remedy = "pip install 'hangbot[test]'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--tier",
        choices=_TIERS,
        default="silver",
        help="exit with 0 where this tier is reached (default: silver)",
    )
    parser.add_argument("--quick", action="store_true", help="only scenarios that take under 5 s each")
    parser.add_argument("--long", action="store_true", help="also scenarios that wait for minutes")
    parser.add_argument(
        "--speed",
        type=count,
        metavar="N",
        help="also scenarios that wait for minutes, with a bot whose clock goes N times faster (by faketime)",
    )
    parser.add_argument(
        "--profile", type=Path, metavar="FILE", help="what the bot does, as TOML; else it is learnt"
    )
    parser.add_argument(
        "--learn",
        action="store_true",
        help="learn what the bot does, write it as a profile, and end",
    )
    parser.add_argument(
        "--docker",
        metavar="IMAGE",
        help="start this image on the host's network; its command, where it has no own one, after `--`",
    )
    parser.add_argument(
        "--tls",
        action="store_true",
        help="let Hang.fm's own names lead to the sandbox, for bots with addresses in their code "
        "(extra: hangbot[tls])",
    )
    parser.add_argument(
        "--search",
        type=_minutes,
        metavar="MINUTES",
        help="how long schedules of several faults are tried for one that the bot fails in "
        "(default: 3, or 0 with --quick and --only)",
    )
    parser.add_argument(
        "--replay",
        metavar="TOKEN",
        help="play this schedule of faults, which a search found, and nothing else",
    )
    parser.add_argument(
        "--report", type=path_to_write, metavar="DIR", help="write the report into this folder"
    )
    parser.add_argument("--only", metavar="IDS", help="only these scenarios or families, by comma")
    parser.add_argument(
        "--side-by-side", type=count, metavar="N", help="how many scenarios are played at once"
    )
    parser.set_defaults(complete=_take_command)


def _minutes(text: str) -> float:
    """Read a time in minutes; 0 is none."""
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes <= _LONGEST_SEARCH:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes from 0 to {_LONGEST_SEARCH}")
    return minutes


def _take_command(args: argparse.Namespace, rest: list[str]) -> str:
    """Take the bot's command: everything after ``--``."""
    if rest[:1] == ["--"]:
        rest.pop(0)
    elif rest and rest[0].startswith("-"):
        return ""  # an unknown option, and is reported as such
    args.argv = tuple(rest)
    rest.clear()
    return ""


def run(args: argparse.Namespace) -> int:
    """Run the proof and return its exit code.

    Raises:
        HangbotError: What proves bots is not installed.
        UsageError: There is no command, or two.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise _NotInstalled(f"{missing[0]} is not installed, and a bot is proven with it")
    _look_at(args)
    command = _command(args)
    argv = [
        sys.executable,
        "-m",
        "pytest",
        *_QUIET,
        "-c",
        str(_settings()),
        "--pyargs",
        "pytest_hangfm.proof",
    ]
    argv += ["--hangfm-bot", shlex.join(command), "--hangfm-proof-alone", f"--hangfm-proof-tier={args.tier}"]
    argv += [f"--hangfm-proof-{name}" for name in ("quick", "long", "learn", "tls") if getattr(args, name)]
    if args.report is not None:
        argv.append(f"--junit-xml={args.report / 'junit.xml'}")
    for name in ("profile", "report", "only", "side_by_side", "docker", "speed", "search", "replay"):
        if (value := getattr(args, name)) is not None:
            argv.append(f"--hangfm-proof-{name.replace('_', '-')}={value}")
    return _child(argv)


def _look_at(args: argparse.Namespace) -> None:
    """Refuse what does not go together.

    Raises:
        UsageError: Something does not.
    """
    if args.quick and args.search is not None:
        raise UsageError("--quick leaves no time for --search", remedy="Leave one of them out.")
    if args.profile is not None:
        _look_at_profile(args.profile)
    others = [name for name in _NOT_WITH_REPLAY if getattr(args, name) not in {None, False}]
    if args.replay is not None and others:
        raise UsageError(
            f"--replay plays one schedule, and --{others[0]} asks for something else",
            remedy="Leave one of them out.",
        )


def _look_at_profile(file: Path) -> None:
    """Refuse a pipe: each process that plays scenarios reads the profile, and none has this one's pipes."""
    try:
        check_file(file)
    except FileNotFoundError:
        pass  # it may be written yet, and who reads it says so
    except OSError as exc:
        raise UsageError(f"{file} cannot be read: {exc.strerror}", remedy="Give the path of a file.") from exc


def _command(args: argparse.Namespace) -> tuple[str, ...]:
    if args.app is not None:
        if args.argv:
            raise UsageError("--app and a command are two bots", remedy="Give either one.")
        if args.docker is not None:
            raise UsageError("--app and --docker are two bots", remedy="Give either one.")
        return (
            sys.executable,
            "-m",
            "hangbot",
            "run",
            *(word for app in args.app for word in ("--app", app)),
        )
    if args.docker == "":
        raise UsageError(
            "--docker names no image", remedy="Give its name: hangbot prove --docker mybot:latest"
        )
    if not args.argv and args.docker is None:
        raise UsageError(
            "no bot is named", remedy="Give its command after `--`: hangbot prove -- node bot.js"
        )
    return tuple(args.argv)


def _settings() -> Path:
    spec = importlib.util.find_spec("pytest_hangfm")
    if spec is None or spec.origin is None:
        raise _NotInstalled("pytest_hangfm is not installed, and a bot is proven with it")
    return Path(spec.origin).parent / "proof" / "pytest.ini"


def _child(argv: list[str]) -> int:
    """Run pytest to its end; what asks this command to end is passed on once, and waited for."""
    environ = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
    # In a group of its own: Ctrl-C at a terminal reaches it once, from here, and not its bots.
    command = tied(argv, signal.SIGINT)
    child = subprocess.Popen(command, env=environ, start_new_session=True)  # noqa: S603  this very interpreter
    asks = [number for number in early_signals.heard() if number != signal.SIGINT]
    before = {number: signal.signal(number, _interrupt) for number in asks}
    try:
        code = child.wait()
    except KeyboardInterrupt:
        code = _end(child)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if code < 0:
        return INTERRUPTED
    return _OF_PYTEST.get(code, code)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _end(child: subprocess.Popen[bytes]) -> int:
    """Ask the child to end: it ends its bots, and reports what it has judged."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child.send_signal(signal.SIGINT)
    try:
        return child.wait(_ENDING_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        return child.wait()
