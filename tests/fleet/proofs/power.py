"""Disks that can lose their power: what was not synced by then is gone."""

import ctypes
import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

__all__ = ["Disk", "plugged_in"]

_SHUT_DOWN: Final = 0x8004587D
"""EXT4_IOC_SHUTDOWN."""
_NOTHING_MORE: Final = 2
"""EXT4_GOING_FLAGS_NOLOGFLUSH: nothing that is only in memory is written, not even the journal."""
_OWN_MOUNTS: Final = 0x20000
"""CLONE_NEWNS."""
_BYTES: Final = 512 * 1024 * 1024


class Disk:
    """A file system of its own, in a file behind a loop device.

    Args:
        image: The file.
        place: Where it is mounted.
    """

    def __init__(self, image: Path, place: Path) -> None:
        self._image, self._place = image, place
        place.mkdir()
        with image.open("wb") as file:
            file.truncate(_BYTES)
        _run("mkfs.ext4", "-q", str(image))

    def plug_in(self) -> None:
        """Mount it; the file system's journal is played, as after any power cut."""
        _run("mount", "-o", "loop", str(self._image), str(self._place))

    def cut(self) -> None:
        """Have nothing more written to it: what was not synced stays in memory."""
        folder = os.open(self._place, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, _SHUT_DOWN, struct.pack("I", _NOTHING_MORE))
        finally:
            os.close(folder)

    def unplug(self) -> None:
        """Forget what is in memory; nothing may use it any more."""
        _run("umount", str(self._place))


@contextmanager
def plugged_in(folder: Path, places: list[Path]) -> Iterator[list[Disk]]:
    """Mount a disk at each place; without the right to do so, the test is skipped.

    This process and those that it starts see them, and no other: however these end, nothing stays mounted.
    """
    disks: list[Disk] = []
    try:
        if places:
            _have_own_mounts()
        for number, place in enumerate(places):
            disk = Disk(folder / f"disk{number}.img", place)
            disk.plug_in()
            disks.append(disk)
        yield disks
    finally:
        for disk in disks:
            disk.unplug()


def _have_own_mounts() -> None:
    if not Path("/dev/loop-control").exists() or ctypes.CDLL(None).unshare(_OWN_MOUNTS):
        pytest.skip("a disk that loses its power is a loop device, which only root may mount, on Linux")
    _run("mount", "--make-rprivate", "/")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603  our own arguments
