"""The command line: one module a command, each loaded only when it is called."""

import sys

from hangbot import __version__
from hangbot.cli import early

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code; see `hangbot.cli.dispatch`."""
    early.catch()
    given = sys.argv[1:] if argv is None else argv
    if given == ["--version"]:
        print(f"hangbot {__version__}")
        return 0
    from hangbot.cli.dispatch import dispatch  # noqa: PLC0415  loading the grammar takes longer than that answer

    return dispatch(given)
