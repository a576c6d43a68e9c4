"""The date of today, which an app asks for by a class that cannot be changed: its modules get another one."""

import datetime as dt
import functools
import inspect
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any, Final, Literal, NoReturn
from weakref import WeakKeyDictionary

import pytest

__all__ = ["OWN_PACKAGES", "is_library", "refuse_dates"]

OWN_PACKAGES: Final = frozenset({"hangbot", "pytest_hangfm"})
_LIBRARIES: Final = tuple(
    os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "purelib", "platlib")
)
_seen: WeakKeyDictionary[ModuleType, tuple[tuple[str, int], ...]] = WeakKeyDictionary()
Refuse = Callable[[Literal["time"], str], NoReturn]


@functools.cache
def is_library(file: str) -> bool:
    """Return whether a file belongs to Python or to an installed package."""
    return file.startswith("<") or os.path.realpath(file).startswith(_LIBRARIES)


def refuse_dates(patch: pytest.MonkeyPatch, refuse: Refuse) -> None:
    """Have `datetime.now` and its like fail in the modules of an app; all else of them works as ever."""
    dates, times = _refusing(dt.date, refuse), _refusing(dt.datetime, refuse)
    stand_ins: dict[int, Any] = {id(dt.date): dates, id(dt.datetime): times}
    stand_ins[id(dt)] = SimpleNamespace(
        **{name: getattr(dt, name) for name in dir(dt)} | {"date": dates, "datetime": times}
    )
    for module in _apps():
        for name, known in _dates_in(module):
            patch.setattr(module, name, stand_ins[known])


def _dates_in(module: ModuleType) -> tuple[tuple[str, int], ...]:
    """Return what a module calls the date's classes, or the module that has them, and which each is."""
    if module not in _seen:
        known = {id(each) for each in (dt, dt.date, dt.datetime)}
        values = ((name, id(inspect.getattr_static(module, name, None))) for name in dir(module))
        _seen[module] = tuple((name, which) for name, which in values if which in known)
    return _seen[module]


def _refusing(real: Any, refuse: Refuse) -> Any:  # noqa: ANN401  a class
    """Return a class that is as good as the real one, and does not know what time it is."""

    def asked(called: str) -> Callable[..., NoReturn]:
        return lambda *_, **__: refuse("time", f"{real.__name__}.{called}")

    class Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, real)

    names = [called for called in ("now", "utcnow", "today") if hasattr(real, called)]
    refused = {called: staticmethod(asked(called)) for called in names}
    whole = {
        "__module__": real.__module__,
        "__repr__": lambda self: f"{real.__module__}.{real.__repr__(self)}",  # which leaves a subclass's out
        **refused,
    }
    return Kind(real.__name__, (real,), whole)


def _apps() -> Iterator[ModuleType]:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name.partition(".")[0] not in OWN_PACKAGES and not is_library(file):
            yield module
