"""What a scenario is, and the table of all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pytest_hangfm.proof.play import Play
    from pytest_hangfm.proof.profile import Part, Profile

__all__ = ["FAMILIES", "NotApplicable", "NotExercised", "Pace", "Scenario", "load", "scenario"]

Pace = Literal["quick", "normal", "long", "search"]
"""``quick``: under 5 s, also in ``--quick``; ``long``: minutes, with ``--long`` or ``--speed`` only.

``search``: as long as the search is given.
"""

FAMILIES: Final = (
    "start", "join", "room-socket", "state", "chat-in", "chat-out", "health", "stop", "secrets", "load",
    "search",
)  # fmt: skip
"""The order of every list."""


class NotApplicable(Exception):
    """The bot does nothing that the scenario is about; the message says what."""


class NotExercised(Exception):
    """The scenario could not be played; the message says why."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing that Hang.fm does to bots.

    Attributes:
        id: Family and name.
        play: Plays it.
        needs: What a bot has to do for it to be applicable.
        rules: Ids of the rules that are judged.
        seconds: About how long it takes a sound bot.
        pace: In which runs it takes place.
        room: How the sandbox's room differs, as ``RoomVariants`` has it.
        dialect: Of the chat.
    """

    id: str
    play: Callable[[Play], Awaitable[None]] = field(repr=False)
    needs: tuple[Part, ...]
    rules: tuple[str, ...]
    seconds: float
    pace: Pace
    room: Mapping[str, Any]
    dialect: str = "openchat"

    @property
    def sentence(self) -> str:
        """What happens, in a sentence."""
        return (self.play.__doc__ or "").strip().split("\n")[0]

    @property
    def family(self) -> str:
        """What it is about."""
        return self.id.partition(".")[0]

    def missing(self, profile: Profile) -> str:
        """Return what the bot does not do that this needs, in words; empty where it is applicable."""
        words: Mapping[Part, str] = {
            "room": "it does not use the room socket",
            "chat": "it does not use the chat",
            "push": "it does not use the chat's socket",
            "votes": "it does not vote",
            "djs": "it does not play songs",
            "direct": "it answers no direct messages",
            "health": "it has no health address",
            "answers": "no line is known that it answers",
        }
        return next((words[part] for part in self.needs if not profile.has(part)), "")


_ALL: Final[dict[str, Scenario]] = {}


def scenario(
    name: str,
    *,
    needs: tuple[Part, ...] = (),
    rules: tuple[str, ...] = (),
    seconds: float = 5.0,
    pace: Pace = "normal",
    room: Mapping[str, Any] | None = None,
    dialect: str = "openchat",
) -> Callable[[Callable[[Play], Awaitable[None]]], Callable[[Play], Awaitable[None]]]:
    """Enter a coroutine function into the table; its first line says what happens."""

    def enter(play: Callable[[Play], Awaitable[None]]) -> Callable[[Play], Awaitable[None]]:
        _ALL[name] = Scenario(name, play, needs, rules or (name,), seconds, pace, dict(room or {}), dialect)
        return play

    return enter


def load() -> dict[str, Scenario]:
    """Return every scenario by its id, family by family."""
    from pytest_hangfm.proof import scenarios  # noqa: PLC0415  its modules import this one

    for module in iter_modules(scenarios.__path__, f"{scenarios.__name__}."):
        import_module(module.name)
    order = sorted(_ALL.values(), key=lambda each: FAMILIES.index(each.family))
    return {each.id: each for each in order}
