"""``hangbot new``: make a folder with a bot, and a test of it that is green at once."""

import argparse
import re
import shlex
import tempfile
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Final

from hangbot.cli.invocation import python_command
from hangbot.cli.output import write_line
from hangbot.cli.parser import path_to_write
from hangbot.errors import HangbotError, UsageError
from hangbot.system_errors import remedy_for

__all__ = ["add_arguments", "run"]

_BOT: Final = "bot"
"""The module that is made where no example is named."""
_PLACES: Final = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "gitignore": ".gitignore",
    "workflow.yml": ".github/workflows/test.yml",
}
"""Each template that every bot has, and where it goes."""
_NOT_IN_A_NAME: Final = re.compile(r"[^a-z0-9]+")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "folder", type=path_to_write, metavar="DIR", help="a folder that is not there yet, or empty"
    )
    parser.add_argument(
        "--example", metavar="NAME", help=f"begin with one of the examples: {', '.join(_examples())}"
    )


def run(args: argparse.Namespace) -> int:
    """Make the folder, completely or not at all.

    Raises:
        UsageError: The folder is not empty, or is no folder.
        HangbotError: It cannot be written.
    """
    folder: Path = args.folder
    module = _BOT if args.example is None else _known(args.example)
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(
                f"{folder} is not empty; nothing was written", remedy="Name a folder that is not there yet."
            )
        _make(folder, module)
    except OSError as exc:
        raise HangbotError(
            f"{folder} cannot be made: {exc.strerror or exc}",
            remedy=remedy_for(exc) or "Name a folder that can be written.",
        ) from exc
    write_line(f"made {folder}: a bot in {module}.py, its test in test_{module}.py")
    write_line(f"next: cd {shlex.quote(str(folder))} && {python_command(elsewhere=True)} -m pytest")
    return 0


def _make(folder: Path, module: str) -> None:
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".hangbot-new-", dir=folder.parent) as beside:
        made = Path(beside) / "bot"
        name = _NOT_IN_A_NAME.sub("-", folder.name.lower()).strip("-") or "my-bot"
        templates = files("hangbot") / "templates" / "bot"
        for source, place in _PLACES.items():
            template = Template((templates / f"{source}.template").read_text(encoding="utf-8"))
            _write(made / place, template.substitute(name=name, module=module))
        for code in (f"{module}.py", f"test_{module}.py"):
            written = templates / f"{code}.template" if module == _BOT else _apps() / module / code
            _write(made / code, written.read_text(encoding="utf-8"))
        made.rename(folder)  # replaces an empty folder as well


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _known(example: str) -> str:
    """Return the module of an example; raises `UsageError` where there is none of that name."""
    module = example.replace("-", "_")
    if module not in _examples():
        raise UsageError(
            f"there is no example {example}; nothing was written",
            remedy=f"There are {', '.join(_examples())}.",
        )
    return module


def _examples() -> list[str]:
    apps = _apps()
    return sorted(
        each.name for each in apps.iterdir() if each.is_dir() and (each / f"{each.name}.py").is_file()
    )


def _apps() -> Traversable:
    """Return where the examples are: in the installed package, or in a checkout beside it."""
    packaged = files("hangbot") / "templates" / "apps"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "examples" / "apps"
