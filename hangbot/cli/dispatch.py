"""From a command line to its command, and from whatever that meets to a line and an exit code."""

from importlib import import_module

from hangbot.cli.output import tell
from hangbot.cli.parser import parse
from hangbot.errors import FAILED, ConfigError, HangbotError
from hangbot.redact import Redactor

__all__ = ["dispatch"]


def dispatch(argv: list[str]) -> int:
    """Run a command and return its exit code.

    Every error that an operator can meet ends here, in a line that says what happened and what
    to do; a fault of hangbot's own says so, and shows its traceback with ``--log-level debug``.
    """
    args = parse(argv)
    try:
        code = int(import_module(f"hangbot.cli.{args.command}").main(args))
    except HangbotError as exc:
        return _told(exc)
    except KeyboardInterrupt:
        _say("interrupted")
        return FAILED
    except Exception as exc:
        if args.log_level == "debug":
            raise
        _say(f"a fault of hangbot itself ({type(exc).__name__}): report what --log-level debug shows")
        return FAILED
    return code


def _told(error: HangbotError) -> int:
    if isinstance(error, ConfigError) and len(error.faults) > 1:
        for fault in error.faults:
            _say(fault)
        _say(error.remedy)
    else:
        message = str(error).rstrip(".")
        _say(f"{message}. {error.remedy}")
    return error.exit_code


def _say(line: str) -> None:
    tell(Redactor().text(line))
