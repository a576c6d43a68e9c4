"""What this process uses: memory and processor time."""

import os
import resource
import sys
from pathlib import Path
from typing import Final

__all__ = ["cpu_s", "cpu_s_of", "peak_mb", "resident_mb"]

_MIB: Final = 2**20
_SELF: Final = Path("/proc/self")


def resident_mb(process: Path = _SELF) -> float:
    """Return the memory in use now (MiB) by a process of ``/proc``.

    Where the system does not tell, it is the most that this process used so far.
    """
    statm = process / "statm"
    if not statm.exists():
        return peak_mb()
    pages = int(statm.read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / _MIB


def peak_mb() -> float:
    """Return the most memory that was in use so far (MiB)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _MIB if sys.platform == "darwin" else peak / 1024


def cpu_s() -> float:
    """Return the processor time used so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def cpu_s_of(pid: int) -> float:
    """Return the processor time that a process has used so far, in seconds; on Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
