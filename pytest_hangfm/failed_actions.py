"""Room actions of a test's bots that failed: the test is to look at how each ended."""

from __future__ import annotations

import functools
import inspect
import itertools
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hangbot import Settlement

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import FrameType
    from typing import Any

    from hangbot import Bot

__all__ = ["ActionResults"]

_FIELDS: Final = tuple(field.name for field in fields(Settlement))


class ActionResults:
    """Follows the actions of bots, and knows the failed ones whose result was not read."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._unread: dict[int, str] = {}

    def follow(self, bot: Bot) -> None:
        """Watch the actions of this bot from now on."""
        act = bot.act

        def followed(action: str, **params: object) -> Coroutine[Any, Any, Settlement]:
            here = inspect.currentframe()
            return self._watch(act(action, **params), f"{action} ({_location(here and here.f_back)})")

        bot.act = followed  # type: ignore[method-assign]  # this one bot's, on purpose

    async def _watch(self, action: Coroutine[Any, Any, Settlement], what: str) -> Settlement:
        end = await action
        if end.state != "failed":
            return end
        number = next(self._numbers)
        self._unread[number] = f"{what} failed: {end.reason}"
        read = functools.partial(self._unread.pop, number, None)
        return _WatchedSettlement(end.state, end.tier, end.attempts, end.reason, end.remedy, read)

    def take_unread(self) -> list[str]:
        """Return in words what failed and was not read, once."""
        unread, self._unread = list(self._unread.values()), {}
        return unread


def _location(caller: FrameType | None) -> str:
    """Return the line that began an action: there its result is lost."""
    return f"{Path(caller.f_code.co_filename).name}:{caller.f_lineno}" if caller else "?"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _WatchedSettlement(Settlement):
    """A result that reports when it is read."""

    on_read: Callable[[], object] = lambda: None

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401  whatever the field is
        if name in _FIELDS:
            object.__getattribute__(self, "on_read")()
        return object.__getattribute__(self, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settlement) and _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(_values(self))


def _values(end: Settlement) -> tuple[object, ...]:
    return tuple(getattr(end, name) for name in _FIELDS)
