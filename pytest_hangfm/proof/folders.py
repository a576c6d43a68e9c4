"""A copy of the bot's folder for each of its lives, so that runs side by side share no files."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["can_be_copied", "copy_folder"]

_LINKED: Final = frozenset(
    {"node_modules", ".git", ".venv", "venv", "env", "__pycache__", "target", "vendor", ".tox", ".cache"}
)
"""Folders that hold no state of a bot: the copy links to them."""
_MOST_FILES: Final = 1_500
_MOST_BYTES: Final = 30_000_000


def can_be_copied(source: Path) -> bool:
    """Whether a folder is small enough to be copied for each run."""
    files = size = 0
    for where, folders, names in os.walk(source):
        folders[:] = [name for name in folders if name not in _LINKED]
        files += len(names) + len(folders)
        for name in names:
            with suppress(OSError):
                size += os.lstat(os.path.join(where, name)).st_size  # noqa: PTH118  os.walk gives texts
        if files > _MOST_FILES or size > _MOST_BYTES:
            return False
    return True


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder; what holds libraries is linked, what is no file or folder is left out.

    Raises:
        OSError: It cannot be read or written.
    """
    target.mkdir(parents=True, exist_ok=True)
    for entry in source.iterdir():
        copy = target / entry.name
        if entry.name in _LINKED or entry.is_symlink():
            copy.symlink_to(entry.resolve())
        elif entry.is_dir():
            copy_folder(entry, copy)
        elif entry.is_file():
            shutil.copy2(entry, copy)
