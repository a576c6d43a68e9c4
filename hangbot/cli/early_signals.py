"""Signals that arrive while the program still loads, when no command can end in order yet.

Imports nothing but `signal` and `sys`, and is imported before everything else: a program that a supervisor
stops in its first tenth of a second has opened nothing, and ends well.
"""

import signal
import sys

TYPE_CHECKING = False  # as `typing` has it, without the import
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["came", "catch", "end_at_once", "give_back", "heard", "hold"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a program to stop; the last comes when its terminal goes."""

_came: list[int] = []
_before: dict[int, object] = {}
_hooks: "list[Callable[[sys.UnraisableHookArgs], object]]" = []


def heard() -> "tuple[signal.Signals, ...]":
    """Return the signals that end a program: under `nohup` it outlives its terminal."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return _SIGNALS[:-1]
    return _SIGNALS


def catch() -> None:
    """From now on only record signals; outside of the main thread, change nothing."""
    _came.clear()
    try:
        for number in heard():
            _before.setdefault(number, signal.signal(number, _remember))
    except ValueError:  # not the main thread, as in a program that calls `main` itself
        _before.clear()


def came() -> int:
    """Return the first signal since `catch`; 0 where there was none."""
    return _came[0] if _came else 0


def end_at_once() -> None:
    """Let signals end the program with 0 until other handlers are set; one that has arrived ends it now."""
    if _came:
        raise SystemExit(0)
    for number in _before:
        signal.signal(number, _end)
    if _before and not _hooks:
        _hooks.append(sys.unraisablehook)
        sys.unraisablehook = _show_unraisable


def hold() -> None:
    """Only record signals again until other handlers are set: a loop that is half made cannot be closed."""
    for number in _before:
        signal.signal(number, _remember)


def give_back() -> None:
    """Restore the handlers from before `catch`; a signal that has arrived is raised again."""
    if _hooks:
        sys.unraisablehook = _hooks.pop()
    for number, handler in _before.items():
        signal.signal(number, handler)  # type: ignore[arg-type]  # what `signal` itself returned
    _before.clear()
    if _came:
        signal.raise_signal(_came.pop())


def _remember(number: int, _frame: object) -> None:
    _came.append(number)


def _show_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Show what could not be raised, but for the end that a signal asked for: `came` remembers that."""
    if not isinstance(unraisable.exc_value, SystemExit):
        _hooks[0](unraisable)


def _end(number: int, _frame: object) -> None:
    _came.append(number)
    raise SystemExit(0)
