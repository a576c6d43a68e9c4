"""Where the outbox is: beside the configuration file, so that every working directory finds the same."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hangbot.config.cluster import SCHEME
from hangbot.config.validators import check_file

__all__ = ["OUTBOX", "OutboxLocation", "outbox_location"]

OUTBOX: Final = "HANGBOT_OUTBOX"
USUAL_FILE: Final = "hang-fm-config.env"
USUAL_OUTBOX: Final = "hangbot-outbox.sqlite3"
_ENDING: Final = ".env"
_NO_PLACE: Final = ("/dev/", "/proc/")
"""A file there is read once, whatever it leads to: nothing is kept beside it."""


@dataclass(frozen=True, slots=True)
class OutboxLocation:
    """An outbox's path, and where it comes from.

    Attributes:
        path: The file.
        origin: Why it is there, in words; empty where HANGBOT_OUTBOX says so.
        former: Where earlier versions of hangbot had it, when that is somewhere else.
    """

    path: Path
    origin: str = ""
    former: Path | None = None


def outbox_location(env_file: Path | None, named: str | None) -> OutboxLocation:
    """Return where the outbox is.

    Args:
        env_file: The configuration file by its path as given: a link counts where it lies, not where
            it leads. ``None``: there is none.
        named: What ``HANGBOT_OUTBOX`` says, or ``None``. A relative path is relative to the folder of
            the configuration file; a cluster's address stands for no path, and the usual one is only what
            this machine's sockets are named after.
    """
    beside = env_file if env_file is not None and _is_kept(env_file) else None
    folder = beside.parent if beside else Path()
    if named is not None and not named.startswith(SCHEME):
        path = _below(folder, named)
        return OutboxLocation(path, former=_other_than(path, Path(named)))
    path = folder / (_named_after(beside.name) if beside else USUAL_OUTBOX)
    origin = f"beside {beside.name}" if beside else "in the working directory, for want of a file"
    return OutboxLocation(path, origin, _other_than(path, Path(USUAL_OUTBOX)))


def _is_kept(path: Path) -> bool:
    """Whether a path leads to a regular file that stays; a pipe or standard input does not."""
    return not os.path.abspath(path).startswith(_NO_PLACE) and path.is_file()  # noqa: PTH100  a link is not followed


def _named_after(name: str) -> str:
    if name == USUAL_FILE:
        return USUAL_OUTBOX
    stem = name.removesuffix(_ENDING) or name
    return f"{stem}.outbox.sqlite3"


def _below(folder: Path, named: str) -> Path:
    try:
        return folder / check_file(Path(named))
    except ValueError:
        return Path(named)  # no path: the settings refuse it as it was written


def _other_than(path: Path, former: Path) -> Path | None:
    return former if os.path.abspath(path) != os.path.abspath(former) else None  # noqa: PTH100  see above
