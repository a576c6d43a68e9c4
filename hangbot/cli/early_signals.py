"""Signals that come while the program still loads: no command is known yet that could end in order.

Loads nothing but `signal`, and is itself loaded before everything else: what a supervisor stops in its
first tenth of a second has opened nothing, and ends well.
"""

import signal

__all__ = ["SIGNALS", "came", "catch", "end_at_once", "give_back"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What asks a program to stop."""

_came: list[int] = []
_before: dict[int, object] = {}


def catch() -> None:
    """From now on only remember the signals that come; a thread that must not do so changes nothing."""
    _came.clear()
    try:
        for number in SIGNALS:
            _before.setdefault(number, signal.signal(number, _remember))
    except ValueError:  # not the main thread, as in a program that calls `main` itself
        _before.clear()


def came() -> int:
    """Return the first that has come since `catch`; 0 where none has."""
    return _came[0] if _came else 0


def end_at_once() -> None:
    """Let them end the program with 0 until somebody else looks after them; one that has come does it now."""
    if _came:
        raise SystemExit(0)
    for number in _before:
        signal.signal(number, _end)


def give_back() -> None:
    """Let them do what they did before `catch`; one that has come does it now."""
    for number, handler in _before.items():
        signal.signal(number, handler)  # type: ignore[arg-type]  # what `signal` itself returned
    _before.clear()
    if _came:
        signal.raise_signal(_came.pop())


def _remember(number: int, _frame: object) -> None:
    _came.append(number)


def _end(number: int, _frame: object) -> None:
    _came.append(number)
    raise SystemExit(0)
