"""The name of a function by which it is found again after a restart."""

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from hangbot.bot.app_forms import is_async, takes
from hangbot.errors import UsageError

__all__ = ["find", "named", "named_for_later"]


def named(function: Callable[..., Awaitable[object]]) -> str:
    """Return ``module:name`` of a function.

    Raises:
        UsageError: It has no name in its module.
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not module or not name or "<" in name:
        raise UsageError(
            f"a timer needs a function that is found again after a restart; {name or function!r} is not",
            remedy="Define it at the top of its module, and give it what it needs as arguments.",
        )
    return f"{module}:{name}"


@functools.lru_cache(maxsize=256)
def named_for_later(function: Callable[..., Awaitable[object]], number: int) -> str:
    """Return the name of a function that a timer calls with so many arguments.

    Raises:
        UsageError: By that name it would not be found again, or the call would fail.
    """
    name = named(function)
    if not is_async(function):
        raise UsageError(f"a timer cannot call {name}, which is no `async def`")
    if inspect.ismethod(function) and not inspect.isclass(function.__self__):
        raise UsageError(
            f"a timer cannot call {name} of an object, which is not there any more after a restart",
            remedy="Give it a function of the module, and what that needs as arguments.",
        )
    if not takes(function, number):
        raise UsageError(
            f"a timer cannot call {name}({', '.join(inspect.signature(function).parameters)})"
            f" with a context and {number - 1} arguments",
            remedy="Give `ctx.after` what follows `ctx` in the function.",
        )
    return name


def find(name: str, number: int) -> Callable[..., Awaitable[object]]:
    """Return the function of a name, which a timer calls with so many arguments.

    Raises:
        UsageError: There is none any more, or it is another one by now.
    """
    module, _, path = name.partition(":")
    try:
        found: Any = sys.modules.get(module) or import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        raise UsageError(
            f"a timer is to call {name}, which is not there any more", remedy="Keep the function's old name."
        ) from None
    if not callable(found) or not _is_fit(found, number):
        raise UsageError(
            f"a timer is to call {name} with a context and {number - 1} arguments,"
            " which cannot be done any more",
            remedy="Have the function take what it took; what is new to it needs a default.",
        )
    function: Callable[..., Awaitable[object]] = found
    return function


@functools.lru_cache(maxsize=256)
def _is_fit(function: Callable[..., object], number: int) -> bool:
    return is_async(function) and takes(function, number)
