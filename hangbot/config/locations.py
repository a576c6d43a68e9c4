"""Where the outbox is: beside the configuration file, so that it is the same from every folder."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hangbot.config.fields import check_file

__all__ = ["OUTBOX", "OutboxPlace", "outbox_place"]

OUTBOX: Final = "HANGBOT_OUTBOX"
USUAL_FILE: Final = "hang-fm-config.env"
USUAL_OUTBOX: Final = "hangbot-outbox.sqlite3"
_ENDING: Final = ".env"
_NO_PLACE: Final = ("/dev/", "/proc/")
"""What lies there is read once, whatever it leads to: nothing is kept beside it."""


@dataclass(frozen=True, slots=True)
class OutboxPlace:
    """An outbox's path, and how it came about.

    Attributes:
        path: The file.
        origin: In words, where nobody named it; empty where somebody did.
        former: Where earlier versions of hangbot had it, when that is another place.
    """

    path: Path
    origin: str = ""
    former: Path | None = None


def outbox_place(env_file: Path | None, told: str | None) -> OutboxPlace:
    """Tell where the outbox is.

    Args:
        env_file: The configuration file by its path as given: a link counts where it lies, not where
            it leads. ``None``: there is none.
        told: What ``HANGBOT_OUTBOX`` says, or ``None``. A relative path is relative to the folder of
            the configuration file.
    """
    beside = env_file if env_file is not None and _is_kept(env_file) else None
    folder = beside.parent if beside else Path()
    if told is not None:
        path = _below(folder, told)
        return OutboxPlace(path, former=_other_than(path, Path(told)))
    path = folder / (_named_after(beside.name) if beside else USUAL_OUTBOX)
    origin = f"beside {beside.name}" if beside else "in the working directory, for want of a file"
    return OutboxPlace(path, origin, _other_than(path, Path(USUAL_OUTBOX)))


def _is_kept(path: Path) -> bool:
    """Tell whether a path leads to a regular file that stays; a pipe or standard input does not."""
    return not os.path.abspath(path).startswith(_NO_PLACE) and path.is_file()  # noqa: PTH100  a link is not followed


def _named_after(name: str) -> str:
    if name == USUAL_FILE:
        return USUAL_OUTBOX
    stem = name.removesuffix(_ENDING) or name
    return f"{stem}.outbox.sqlite3"


def _below(folder: Path, told: str) -> Path:
    try:
        return folder / check_file(Path(told))
    except ValueError:
        return Path(told)  # no path: whoever reads the settings says so, of what was written


def _other_than(path: Path, former: Path) -> Path | None:
    return former if os.path.abspath(path) != os.path.abspath(former) else None  # noqa: PTH100  see above
