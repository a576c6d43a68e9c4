"""Processes that end with ours, even where ours is killed."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

__all__ = ["tied"]

_LAUNCHER: Final = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(sys.argv[2]))
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Linux sends the signal when the process has ended that started this one (PR_SET_PDEATHSIG is 1)."""


def tied(command: Sequence[str], number: signal.Signals) -> list[str]:
    """Return what starts a command that is sent a signal when this process has ended; on Linux only.

    Args:
        command: The command; its program is a path.
        number: The signal.
    """
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), str(number.value), *command]
