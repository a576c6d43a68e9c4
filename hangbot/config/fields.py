"""The name, the text and the bounds of one setting outside of the program.

The metadata stands in the annotations of `hangbot.config.table.SettingsTable`, so that reading, the
printed configuration, the example file and the documentation cannot disagree.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr

from hangbot.config.validators import read_integer, read_number, read_switch, read_word
from hangbot.redact import MASK

__all__ = [
    "Dialect",
    "Env",
    "Feed",
    "Need",
    "Strategy",
    "address",
    "identifier",
    "integer",
    "milliseconds",
    "number",
    "secret",
    "switch",
    "word",
]

Dialect = Literal["auto", "openchat", "cometchat"]
Strategy = Literal["seed", "equal", "full"]
Feed = Literal["auto", "push", "poll"]

ON_OR_OFF: Final = "on or off"

_ADDRESS: Final = "an address"


class Need(StrEnum):
    """Whether a name has to be set."""

    REQUIRED = "required"
    DERIVED = "derived"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class Env:
    """How a field is named and written outside of the program.

    Attributes:
        name: In the environment and in hang-fm-config.env.
        help: One line for the operator.
        noun: What the value is, without its bounds, which are the field's own.
        need: Whether it has to be set.
        read: Turns text into a value; returns the text unchanged where it cannot.
        per: How many of the variable's units make one of the field's: 1000 for milliseconds.
        otherwise: Where the value comes from when it is not set; empty for a plain default.
        secret: Whether the value is never shown.
        free: Whether it is the operator's own text, in which quotes and '#' may be meant.
    """

    name: str
    help: str
    noun: str
    need: Need = Need.OPTIONAL
    read: Callable[[str], object] = str.strip
    per: int = 1
    otherwise: str = ""
    secret: bool = False
    free: bool = False

    @property
    def is_address(self) -> bool:
        """Whether the value is an address, which may hold a password."""
        return self.noun == _ADDRESS

    def value(self, raw: str) -> object:
        """Return the field's value for the variable's text; what cannot be read stays text."""
        value = self.read(raw)
        return value / self.per if self.per != 1 and isinstance(value, int | float) else value

    def shown(self, value: object) -> str:
        """Return the value in the variable's own unit and spelling, on one line; ``-`` for none."""
        match value:
            case None:
                return "-"
            case SecretStr():
                return MASK
            case bool():
                return ("off", "on")[value] if self.noun == ON_OR_OFF else str(value).lower()
            case int() | float():
                return f"{value * self.per:.12g}"
        return str(value).replace("\r", "\\r").replace("\n", "\\n")

    def expectation(self, constraints: Iterable[object]) -> str:
        """Say what the value must be: the noun, and the field's bounds in the variable's unit."""
        words = [self.noun]
        for constraint in constraints:
            match constraint:
                case Gt(gt=float() | int() as bound):
                    words.append(f"above {self.shown(bound)}, up")
                case Ge(ge=float() | int() as bound):
                    words.append(f"from {self.shown(bound)}")
                case Le(le=float() | int() as bound):
                    words.append(f"to {self.shown(bound)}")
        return " ".join(words)


def secret(name: str, help: str, need: Need = Need.DERIVED, otherwise: str = "") -> Env:  # noqa: A002  see Env
    """Describe a token or key."""
    return Env(name, help, "a token", need=need, otherwise=otherwise, secret=True)


def identifier(name: str, help: str, need: Need = Need.DERIVED, otherwise: str = "") -> Env:  # noqa: A002  see Env
    """Describe the id of a user, a group, a room or an app."""
    return Env(name, help, "at most 100 letters, digits, '-' and '_'", need=need, otherwise=otherwise)


def milliseconds(name: str, help: str) -> Env:  # noqa: A002  see Env
    """Describe a duration; the field has seconds."""
    return Env(name, f"{help}, in milliseconds.", "milliseconds", read=read_number, per=1000)


def number(name: str, help: str) -> Env:  # noqa: A002  see Env
    """Describe a decimal number."""
    return Env(name, help, "a number", read=read_number)


def integer(name: str, help: str) -> Env:  # noqa: A002  see Env
    """Describe a whole number."""
    return Env(name, help, "a whole number", read=read_integer)


def word(name: str, help: str, noun: str) -> Env:  # noqa: A002  see Env
    """Describe one of a few words."""
    return Env(name, help, noun, read=read_word)


def switch(name: str, help: str, noun: str = ON_OR_OFF) -> Env:  # noqa: A002  see Env
    """Describe one of two words."""
    return Env(name, f"{help}: {noun}.", noun, read=read_switch)


def address(name: str, help: str) -> Env:  # noqa: A002  see Env
    """Describe the address of a service."""
    return Env(name, help, _ADDRESS)
