"""From a command line to its command, and from whatever that meets to a line and an exit code."""

import gc
import signal
import sys
import traceback
import warnings
from importlib import import_module
from types import TracebackType
from typing import Final

from hangbot.cli import early_signals
from hangbot.cli.masking import reset_masking
from hangbot.cli.output import report, report_lines
from hangbot.cli.parser import parse
from hangbot.errors import FAILED, INTERRUPTED, ConfigError, HangbotError
from hangbot.system_errors import explained

__all__ = ["dispatch"]

_UNTIL_STOPPED: Final = frozenset({"run", "sandbox"})
"""What runs until a signal comes: that is its good end. The others are interrupted by it."""


def dispatch(argv: list[str]) -> int:
    """Run a command and return its exit code.

    Every error that an operator can meet ends here, in a line that says what happened and what
    to do; a fault of hangbot's own says so, and shows its traceback with ``--log-level debug``.
    """
    reset_masking(argv)
    args = parse(argv)
    try:
        if args.command in _UNTIL_STOPPED:
            early_signals.end_at_once()
        else:
            early_signals.give_back()
        code = int(import_module(f"hangbot.cli.{args.command}").main(args))
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it may come twice, and this is the end already
        report("interrupted")
        return INTERRUPTED
    except Exception as exc:
        told = explained(exc)
        if told is not None:
            if told is not exc:
                _let_go(exc)
            return _told(told)
        if args.log_level == "debug":
            sys.excepthook = _show_traceback
            raise
        report(f"a fault of hangbot itself ({type(exc).__name__}): report what --log-level debug shows")
        return FAILED
    return code


def _let_go(error: Exception) -> None:
    """Give up what an error of the system left half made, without a word: a loop without files, say."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traceback.clear_frames(error.__traceback__)
            error.__traceback__ = error.__context__ = error.__cause__ = None
            gc.collect()
    finally:
        sys.unraisablehook = hook


def _told(error: HangbotError) -> int:
    odd = error.warnings if isinstance(error, ConfigError) else ()
    if isinstance(error, ConfigError) and (len(error.faults) > 1 or odd):
        for line in (*error.faults, *odd):
            report(line)
        report(error.remedy)
    else:
        message = str(error).rstrip(".")
        report(f"{message}. {error.remedy}")
    return error.exit_code


def _show_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show what ended the program as the interpreter does, but what others wrote escaped."""
    report_lines("".join(traceback.format_exception(kind, error, trace)).rstrip())
