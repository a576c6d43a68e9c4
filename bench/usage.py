"""What this process uses: memory and processor time."""

import resource
import sys
from pathlib import Path
from typing import Final

__all__ = ["cpu_s", "peak_mb", "resident_mb"]

_MIB: Final = 2**20
_STATM: Final = Path("/proc/self/statm")


def resident_mb() -> float:
    """Return the memory in use now (MiB); where the system does not tell, the most so far."""
    if not _STATM.exists():
        return peak_mb()
    pages = int(_STATM.read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / _MIB


def peak_mb() -> float:
    """Return the most memory that was in use so far (MiB)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _MIB if sys.platform == "darwin" else peak / 1024


def cpu_s() -> float:
    """Return the processor time used so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
