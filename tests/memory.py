"""Where tests keep files that are synced again and again: in memory, if there is room."""

import os
import shutil
from pathlib import Path
from typing import Final

__all__ = ["IN_MEMORY"]

_MEMORY: Final = Path("/dev/shm")  # noqa: S108  only folders of `tempfile` are made in it
_ENOUGH: Final = 512 * 1024**2
"""Bytes, many times what a run has there at once."""


def _in_memory() -> Path | None:
    if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH:
        return _MEMORY
    return None


IN_MEMORY: Final = _in_memory()
"""For ``tempfile``: a folder in memory, or ``None``: the usual one.

Nothing is proven the less. Who is killed has written what it wrote, on whatever disk; and the proofs of a
power cut have disks of their own.
"""
