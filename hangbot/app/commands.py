"""The commands of an app, and which of them a line is. PURE."""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from hangbot.app.arguments import Signature, read_signature
from hangbot.bot.roles import ROLES, Role
from hangbot.errors import UsageError

__all__ = ["Called", "Command", "Commands", "make_command"]

_NAME: Final = re.compile(r"[^\s\"<>\[\]]{1,32}")


@dataclass(frozen=True, slots=True, eq=False)
class Command:
    """A command of an app.

    Attributes:
        name: What it is called, without the prefix.
        handler: What handles it.
        signature: What that takes.
        aliases: Its other names.
        role: Who may use it; ``None``: everybody.
        cooldown: Seconds until the same user may use it again.
        exclusive: Whether no two users' calls of it run at the same time.
        help: What it does, in a line.
    """

    name: str
    handler: Callable[..., Awaitable[object]] = field(repr=False)
    signature: Signature
    aliases: tuple[str, ...] = ()
    role: Role | None = None
    cooldown: float = 0.0
    exclusive: bool = False
    help: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All its names."""
        return (self.name, *self.aliases)


class Called(NamedTuple):
    """A command that a line calls.

    Attributes:
        command: Which.
        rest: What follows its name.
    """

    command: Command
    rest: str


class Commands:
    """The commands of an app by name; letters count alike, large or small.

    Args:
        prefix: What a line begins with that calls one.
        commands: The commands.
        defaults: Commands that are there where no other has their name.

    Raises:
        UsageError: Two have the same name.
    """

    def __init__(self, prefix: str, commands: Iterable[Command], defaults: Iterable[Command] = ()) -> None:
        self.prefix = prefix
        self._named: dict[str, Command] = {}
        for command in commands:
            for name in command.names:
                if name.startswith(prefix):
                    raise UsageError(
                        f"the command {name} ({_where(command)}) has the prefix in its name",
                        remedy=f"Write {name.removeprefix(prefix)!r}.",
                    )
                other = self._named.setdefault(name.casefold(), command)
                if other is not command:
                    raise UsageError(
                        f"{prefix}{name} is the name of two commands, {_where(other)} and {_where(command)}",
                        remedy="Rename one of them, or leave its alias out.",
                    )
        self.defaults = frozenset(each for each in defaults if each.name.casefold() not in self._named)
        """Those of the defaults that are there."""
        for command in self.defaults:
            self._named[command.name.casefold()] = command

    def __iter__(self) -> Iterator[Command]:
        """Yield each command once, in the order of the names."""
        return iter(sorted(set(self._named.values()), key=lambda command: command.name))

    def named(self, name: str) -> Command | None:
        """Return the command of a name or alias, without the prefix."""
        return self._named.get(name.casefold())

    def called(self, text: str | None) -> Called | None:
        """Return the command that a line calls, or ``None``."""
        if text is None or not text.startswith(self.prefix):
            return None
        words = text.removeprefix(self.prefix)
        first, *rest = words.split(maxsplit=1) or [""]
        command = self._named.get(first.casefold())
        if command is None or not words.startswith(first):
            return None
        return Called(command, rest[0] if rest else "")

    def usage(self, command: Command) -> str:
        """Return how a command is written."""
        return command.signature.usage(f"{self.prefix}{command.name}")


def make_command(
    name: str, handler: Callable[..., Awaitable[object]], settings: Mapping[str, Any]
) -> Command:
    """Return a command of a function.

    Args:
        name: What it is called, without the prefix.
        handler: The function: ``async def NAME(ctx, …)``.
        settings: The other attributes of `Command`.

    Raises:
        UsageError: A name, the role or the function's signature is none that a command can have.
    """
    label = f"the command {name} ({_place(handler)})"
    made = Command(name, handler, read_signature(handler, label), **settings)
    for each in made.names:
        if not _NAME.fullmatch(each):
            raise UsageError(
                f"{label}: {each!r} is no name of a command", remedy="A name is one word, without the prefix."
            )
    if made.role is not None and made.role not in ROLES:
        raise UsageError(f"{label}: there is no role {made.role!r}", remedy=f"Roles are {', '.join(ROLES)}.")
    if not 0 <= made.cooldown <= _LONGEST_COOLDOWN:
        raise UsageError(f"{label}: a cooldown is 0 to {_LONGEST_COOLDOWN:g} seconds")
    return made


_LONGEST_COOLDOWN: Final = 86_400.0


def _where(command: Command) -> str:
    return _place(command.handler)


def _place(handler: object) -> str:
    return f"{getattr(handler, '__module__', '?')}.{getattr(handler, '__qualname__', handler)}"
