"""What a simulation must not use: the machine's time, threads, sockets and programs. A use fails the test.

Chance is the machine's as well, but an app that draws needs no change: what it gets is seeded.
"""

import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, Literal, NoReturn

import pytest

from pytest_hangfm.simulation.dates import OWN_PACKAGES, is_library, refuse_dates

__all__ = ["no_machine", "refuse"]

Kind = Literal["time", "chance", "thread", "socket", "program"]

_HERE: Final = "pytest_hangfm.simulation"
_TIME: Final = ("time", "monotonic", "perf_counter", "clock_gettime")
_WAYS: Final = frozenset(
    {"asyncio", "concurrent", "datetime", "email", "random", "secrets", "socket", "ssl", "subprocess"}
    | {"tempfile", "threading", "uuid"}
)
"""Modules through which others get at the machine."""
_MAY_ASK: Final = frozenset({"logging", "websockets"})
"""For the time of a line, and of an answer: nothing shows those."""
_REMEDIES: Final = {
    "time": "in a simulation only the loop's time passes (asyncio.sleep, the loop's time())",
    "chance": "hangbot itself draws only what it is given",
    "thread": "a thread has a time of its own: a simulated app has none",
    "socket": "a simulated app reaches only its sandbox, by the loop",
    "program": "a simulated app starts no other program",
}
_guarded: list[tuple[int, list[str]]] = []
"""The thread of each simulation that runs now, and its uses of the machine; the last is the innermost."""


@contextmanager
def no_machine(seed: int | str = 0) -> Iterator[list[str]]:
    """Refuse the machine for as long as the block runs; yields the uses, a line each.

    Other threads keep it: those of what runs the tests.

    Args:
        seed: Of what apps draw by `random`, `uuid` and `os.urandom`.
    """
    uses: list[str] = []
    drawn, state = random.Random(seed), random.getstate()  # noqa: S311  to be repeatable
    with pytest.MonkeyPatch.context() as patch:
        for name in ("sleep", *_TIME, *(f"{name}_ns" for name in _TIME)):
            patch.setattr(time, name, _refusing("time", f"time.{name}", getattr(time, name)))
        for module, name in ((os, "urandom"), (random, "_urandom")):
            patch.setattr(module, name, _drawing(f"{module.__name__}.{name}", drawn, getattr(module, name)))
        patch.setattr(threading.Thread, "start", _refusing("thread", "Thread.start", threading.Thread.start))
        patch.setattr(socket.socket, "__init__", _refusing("socket", "a socket", socket.socket.__init__))
        patch.setattr(subprocess.Popen, "__init__", _refusing("program", "Popen", subprocess.Popen.__init__))
        refuse_dates(patch, refuse)
        _guarded.append((threading.get_ident(), uses))
        random.seed(drawn.random())
        try:
            yield uses
        finally:
            random.setstate(state)
            _guarded.pop()


def refuse(kind: Kind, called: str) -> NoReturn:
    """Note a use of the machine in the simulation that runs now, and fail.

    Raises:
        AssertionError: Always; one line that names the module and the line of who used it.
    """
    frame = _user(sys._getframe(1))  # noqa: SLF001  documented, for want of a public name
    use = f"{called} was used in a simulation by {_name(frame)}, line {frame.f_lineno}: {_REMEDIES[kind]}"
    if _guarded:
        _guarded[-1][1].append(use)
    raise AssertionError(use)


def _refusing(kind: Kind, called: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def refusing(*args: Any, **options: Any) -> Any:  # noqa: ANN401  as what it stands for
        frame = sys._getframe(1)  # noqa: SLF001  as above
        if _is_another_thread() or (kind == "time" and _package(_asker(frame)) in _MAY_ASK):
            return real(*args, **options)
        refuse(kind, called)

    return refusing


def _drawing(called: str, drawn: random.Random, real: Callable[[int], bytes]) -> Callable[[int], bytes]:
    def draw(size: int) -> bytes:
        if _is_another_thread():
            return real(size)
        if _package(_asker(sys._getframe(1))) in OWN_PACKAGES:  # noqa: SLF001  as above
            refuse("chance", called)
        return drawn.randbytes(size)

    return draw


def _is_another_thread() -> bool:
    return bool(_guarded) and _guarded[-1][0] != threading.get_ident()


def _asker(frame: FrameType) -> FrameType:
    """Return who asked, past the standard library's own ways to the same."""
    while _package(frame) in _WAYS and frame.f_back:
        frame = frame.f_back
    return frame


def _user(frame: FrameType) -> FrameType:
    """Return the code that is to blame: of hangbot or of the app, not that of a library between."""
    each: FrameType | None = frame
    while each is not None:
        ours = not _name(each).startswith(_HERE)
        if ours and (_package(each) in OWN_PACKAGES or not is_library(each.f_code.co_filename)):
            return each
        each = each.f_back
    return _asker(frame)


def _package(frame: FrameType) -> str:
    return _name(frame).partition(".")[0]


def _name(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
