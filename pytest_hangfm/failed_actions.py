"""Room actions of a test's bots that failed: whoever made one is to look at how it ended."""

from __future__ import annotations

import inspect
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hangbot.delivery.record import Settlement

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import FrameType
    from typing import Any

    from hangbot.bot.bot import Bot

__all__ = ["ActionResults"]

_FIELDS: Final = frozenset(field.name for field in fields(Settlement))


class ActionResults:
    """Follows the actions of bots, and knows of which that failed nobody read the result."""

    def __init__(self) -> None:
        self._unread: list[_Read] = []

    def follow(self, bot: Bot) -> None:
        """Look after what this bot does from now on."""
        act = bot.act

        def followed(action: str, **params: object) -> Coroutine[Any, Any, Settlement]:
            here = inspect.currentframe()
            return self._read(act(action, **params), f"{action} ({_place(here and here.f_back)})")

        bot.act = followed  # type: ignore[method-assign]  # this one bot's, on purpose

    async def _read(self, deed: Coroutine[Any, Any, Settlement], what: str) -> Settlement:
        end = await deed
        if end.state != "failed":
            return end
        watched = _Read(*astuple(end))
        object.__setattr__(watched, "what", f"{what} failed: {end.reason}")
        object.__setattr__(watched, "on_read", self._forget(watched))
        self._unread.append(watched)
        return watched

    def _forget(self, watched: _Read) -> Callable[[], None]:
        def forget() -> None:
            self._unread = [other for other in self._unread if other is not watched]

        return forget

    def take_unread(self) -> list[str]:
        """Return in words what failed and was not read, once."""
        unread, self._unread = self._unread, []
        return [watched.what for watched in unread]


def _place(caller: FrameType | None) -> str:
    """Return where an action was begun: there its result is lost."""
    return f"{Path(caller.f_code.co_filename).name}:{caller.f_lineno}" if caller else "?"


class _Read(Settlement):
    """A result that tells when it is read."""

    __slots__ = ("on_read", "what")

    what: str
    on_read: Callable[[], None]

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401  whatever the field is
        if name in _FIELDS:
            object.__getattribute__(self, "on_read")()
        return object.__getattribute__(self, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settlement) and astuple(self) == astuple(other)

    def __hash__(self) -> int:
        return hash(astuple(self))
