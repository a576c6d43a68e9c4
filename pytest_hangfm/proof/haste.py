"""A bot's clock that goes faster, so that a scenario that only waits takes seconds: by faketime's library."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Haste", "timer_of"]

_TIMERS: Final[Mapping[str, tuple[str, ...]]] = {
    "node": ("-e", "setTimeout(() => {}, {ms})"),
    "deno": ("eval", "setTimeout(() => {}, {ms})"),
    "bun": ("-e", "setTimeout(() => {}, {ms})"),
    "python": ("-c", "import asyncio; asyncio.run(asyncio.sleep({ms} / 1000))"),
    "ruby": ("-e", "sleep({ms} / 1000.0)"),
    "perl": ("-e", "sleep({ms} / 1000)"),
}
"""By the name of a program without its version: how it waits for some milliseconds, and ends."""
_TIMER_S: Final = 10.0
_FAST_ENOUGH: Final = 0.6
_ASKED_WITHIN: Final = 10.0


@dataclass(frozen=True, slots=True)
class Haste:
    """How much faster a bot's clock goes.

    Attributes:
        times: As many times.
        env: What makes it so.
        why_not: Why that is not possible here, and what to do; empty where it is.
    """

    times: int
    env: Mapping[str, str] = field(default_factory=dict)
    why_not: str = ""

    @classmethod
    def find(cls, times: int, argv: Sequence[str]) -> Haste:
        """Find out, with a timer, whether the clock of a program can be made to go faster."""
        timer = timer_of(argv)
        if timer is None:
            known = ", ".join(_TIMERS)
            return cls(times, why_not=f"whether its clock can go faster is known of {known} only: use --long")
        library = _library()
        if not library:
            return cls(
                times, why_not="faketime is not installed: install it (`apt install faketime`), or use --long"
            )
        before = os.environ.get("LD_PRELOAD")
        env = {
            "LD_PRELOAD": f"{library}:{before}" if before else library,
            "FAKETIME": f"+0 x{times}",
            "FAKETIME_NO_CACHE": "1",
        }
        if not _goes_faster(timer, env):
            return cls(
                times, why_not=f"faketime does not reach the timers of {Path(argv[0]).name}: use --long"
            )
        return cls(times, env)


def timer_of(argv: Sequence[str]) -> tuple[str, ...] | None:
    """Return a command of the same program that waits for ten seconds; ``None`` where none is known. PURE."""
    if not argv:
        return None
    words = _TIMERS.get(Path(argv[0]).name.rstrip("0123456789."))
    if words is None:
        return None
    return (argv[0], *(word.replace("{ms}", f"{1000 * _TIMER_S:.0f}") for word in words))


def _library() -> str:
    """Return the path of faketime's library, as faketime itself hands it on; empty without one."""
    faketime = shutil.which("faketime")
    if faketime is None:
        return ""
    # -m: the library for programs with threads, as all of these are.
    said = _run((faketime, "-m", "-f", "+0", "sh", "-c", 'echo "$LD_PRELOAD"'), {}, _ASKED_WITHIN)
    return (said or "").strip().partition(":")[0]


def _goes_faster(timer: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether ten seconds of a program are over in clearly less."""
    began = time.monotonic()
    return _run(timer, env, _FAST_ENOUGH * _TIMER_S) is not None and time.monotonic() - began < _TIMER_S


def _run(argv: Sequence[str], env: Mapping[str, str], within: float) -> str | None:
    """Return what a command prints; ``None`` where it fails, or does not end in time."""
    try:
        done = subprocess.run(  # noqa: S603  the bot's own interpreter
            argv, env={**os.environ, **env}, capture_output=True, text=True, check=True, timeout=within
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
