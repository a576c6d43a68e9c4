"""The command line: one module a command, loaded when it is called."""

import sys

from hangbot import __version__
from hangbot.cli import early_signals

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code; see `hangbot.cli.commands`."""
    early_signals.catch()
    from hangbot.cli import output  # noqa: PLC0415  a signal may come while it loads

    words = sys.argv[1:] if argv is None else argv
    with output.guarded_streams():
        if words == ["--version"]:
            print(f"hangbot {__version__}")  # noqa: T201  before anything else is loaded
            return 1 if output.write_failure() else 0
        from hangbot.cli.commands import dispatch  # noqa: PLC0415  loading the grammar takes longer than that answer

        try:
            code = dispatch(words)
        except SystemExit as ended:  # argparse's own, with the help or with what is wrong with the call
            return int(ended.code or (1 if output.write_failure() else 0))
    if ending := sys.modules.get("hangbot.cli.ending"):  # only `run` loads it
        ending.end_if_stuck(code)
    return code
