"""What about an outbox's place on disk is odd: nothing that keeps it from working today.

Nothing here opens the outbox in use: closing it again would take SQLite's locks away with it.
"""

import os
import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Final

from hangbot.delivery.descriptor import is_borrowed
from hangbot.delivery.tables import HEAD, is_outbox

__all__ = ["count_messages", "has_second_name", "is_mounted_alone"]

_MOUNTS: Final = Path("/proc/self/mountinfo")
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


def has_second_name(path: Path) -> bool:
    """Tell whether an outbox has a hard link: what is opened by the other name has another log beside it."""
    try:
        found = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink > 1


def is_mounted_alone(path: Path, mounts: Path = _MOUNTS) -> bool:
    """Tell whether an outbox is mounted as a single file: its log beside it is then not on that mount."""
    place = os.path.realpath(path)
    if Path(place).is_dir():
        return False
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return Path(place).is_file() and os.path.ismount(place)
    return any(_mount_point(line) == place for line in lines)


def _mount_point(line: str) -> str | None:
    """Return the fifth field of a line of mountinfo, where blanks are escaped."""
    fields = line.split(" ")
    if len(fields) < 5:  # noqa: PLR2004  see above
        return None
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[4])


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def count_messages(path: Path) -> int:
    """Count the messages in an outbox that is not in use here; 0 where there is none."""
    try:
        if is_borrowed(path) or not is_outbox(_head(path)):
            return 0
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM message").fetchone()[0])
    except (sqlite3.Error, OSError):
        return 0
