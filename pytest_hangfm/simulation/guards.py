"""What a simulation must not use: the machine's time, chance, threads and sockets. A use fails the test."""

import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import pytest

__all__ = ["no_machine"]

_TIME: Final = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "clock_gettime", "sleep")
_WAYS: Final = frozenset({"random", "secrets", "uuid", "email", "threading"})
_ALLOWED: Final = {
    "time": ("logging", "websockets"),  # the time of a line and of an answer, which nothing shows
    "chance": ("websockets",),  # the mask of a frame, which the other end takes off again
    "thread": (),
    "socket": (),
}


@contextmanager
def no_machine() -> Iterator[list[str]]:
    """Refuse the machine for as long as the block runs; yields the uses, a line each."""
    uses: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in _TIME:
            patch.setattr(time, name, _refusing("time", f"time.{name}", getattr(time, name), uses))
        for module, name in ((os, "urandom"), (random, "_urandom")):
            called = f"{module.__name__}.{name}"
            patch.setattr(module, name, _refusing("chance", called, getattr(module, name), uses))
        for kind, owner, name in (
            ("thread", threading.Thread, "start"),
            ("socket", socket.socket, "__init__"),
        ):
            called = f"{owner.__name__}.{name}"
            patch.setattr(owner, name, _refusing(kind, called, getattr(owner, name), uses))
        yield uses


def _refusing(kind: str, called: str, real: Callable[..., Any], uses: list[str]) -> Callable[..., Any]:
    def refuse(*args: Any, **options: Any) -> Any:  # noqa: ANN401  as what it stands for
        frame = _caller()
        module = frame.f_globals["__name__"]
        if module.split(".")[0] in _ALLOWED[kind]:
            return real(*args, **options)
        use = f"{called} was called in a simulation by {module}, line {frame.f_lineno}"
        uses.append(use)
        raise AssertionError(use)

    return refuse


def _caller() -> FrameType:
    """Return who asked, past the standard library's own ways to the same."""
    frame = sys._getframe(2)  # noqa: SLF001  documented, for want of a public name
    while frame.f_globals["__name__"].split(".")[0] in _WAYS and frame.f_back:
        frame = frame.f_back
    return frame
