"""``hangbot new``: make a folder with a bot, and a test of it that is green at once."""

import argparse
import re
import shlex
import tempfile
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from hangbot.cli.invocation import python_command
from hangbot.cli.output import write_line
from hangbot.errors import HangbotError, UsageError

__all__ = ["add_arguments", "run"]

_PLACES: Final = {
    "bot.py": "bot.py",
    "test_bot.py": "test_bot.py",
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "gitignore": ".gitignore",
    "workflow.yml": ".github/workflows/test.yml",
}
"""Each template, and where it goes."""
_NOT_IN_A_NAME: Final = re.compile(r"[^a-z0-9]+")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder that is not there yet, or empty")


def run(args: argparse.Namespace) -> int:
    """Make the folder, completely or not at all.

    Raises:
        UsageError: The folder is not empty, or is no folder.
        HangbotError: It cannot be written.
    """
    folder: Path = args.folder
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(
                f"{folder} is not empty; nothing was written", remedy="Name a folder that is not there yet."
            )
        _make(folder)
    except OSError as exc:
        raise HangbotError(
            f"{folder} cannot be made: {exc.strerror or exc}", remedy="Name a folder that can be written."
        ) from exc
    write_line(f"made {folder}: a bot in bot.py, its test in test_bot.py")
    write_line(f"next: cd {shlex.quote(str(folder))} && {python_command(elsewhere=True)} -m pytest")
    return 0


def _make(folder: Path) -> None:
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".hangbot-new-", dir=folder.parent) as beside:
        made = Path(beside) / "bot"
        name = _NOT_IN_A_NAME.sub("-", folder.name.lower()).strip("-") or "my-bot"
        templates = files("hangbot") / "templates" / "bot"
        for source, place in _PLACES.items():
            template = Template((templates / f"{source}.template").read_text(encoding="utf-8"))
            path = made / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(template.substitute(name=name), encoding="utf-8")
        made.rename(folder)  # replaces an empty folder as well
