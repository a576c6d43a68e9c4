"""What one field of the settings is: its name outside, how its text is read, what it must be.

The metadata stands in the annotations of `hangbot.config.Settings`, so that reading, the
printed configuration, the example file and the documentation cannot disagree. Readers turn
text into a value, or hand the text back where they cannot: the model then refuses it.
Checks raise ``ValueError`` with a sentence that never holds the value.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr

from hangbot.redact import MASK

__all__ = [
    "ID",
    "UUID",
    "Dialect",
    "Env",
    "Need",
    "Strategy",
    "address",
    "check_chat_url",
    "check_file",
    "check_gateway_url",
    "check_id",
    "check_line",
    "check_room_url",
    "check_text",
    "check_token",
    "identifier",
    "integer",
    "milliseconds",
    "number",
    "read_integer",
    "read_number",
    "read_path",
    "read_switch",
    "read_word",
    "secret",
    "tidy_token",
    "unquoted",
    "word",
]

Dialect = Literal["auto", "openchat", "cometchat"]
Strategy = Literal["seed", "equal", "full"]

LONGEST_TOKEN: Final = 8_192

ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
"""What the documents of the chat allow for a uid or a guid."""

UUID: Final = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What tells a room's uuid from its slug."""

_ADDRESS: Final = "an address"
_SENDABLE: Final = re.compile(f"[!-~]{{1,{LONGEST_TOKEN}}}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,15}")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]+\.?|\[[0-9A-Fa-f:.]+\]")
_API_VERSION: Final = re.compile(r"/v3(?:\.0)?/*$")
_SWITCH: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


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
        read: Text to value; hands the text back where it cannot.
        per: How many of the variable's units make one of the field's: 1000 for milliseconds.
        otherwise: Where the value comes from when it is not set; empty for a plain default.
        secret: Whether the value is never shown.
        free: Whether it is text of the operator's own, in which quotes and '#' may be meant.
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
        """The field's value for the variable's text; what cannot be read stays text."""
        value = self.read(raw)
        return value / self.per if self.per != 1 and isinstance(value, int | float) else value

    def shown(self, value: object) -> str:
        """The value in the variable's own unit and spelling, on one line; ``-`` for none."""
        match value:
            case None:
                return "-"
            case SecretStr():
                return MASK
            case bool():
                return str(value).lower()
            case int() | float():
                return f"{value * self.per:.12g}"
        return str(value).replace("\r", "\\r").replace("\n", "\\n")

    def expectation(self, constraints: Iterable[object]) -> str:
        """What the value must be, in words: the noun, and the field's bounds in the variable's unit."""
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
    """A token or key."""
    return Env(name, help, "a token", need=need, otherwise=otherwise, secret=True)


def identifier(name: str, help: str, need: Need = Need.DERIVED, otherwise: str = "") -> Env:  # noqa: A002  see Env
    """The id of a user, a group, a room or an app."""
    return Env(name, help, "at most 100 letters, digits, '-' and '_'", need=need, otherwise=otherwise)


def milliseconds(name: str, help: str) -> Env:  # noqa: A002  see Env
    """A duration; the field has seconds."""
    return Env(name, f"{help}, in milliseconds.", "milliseconds", read=read_number, per=1000)


def number(name: str, help: str) -> Env:  # noqa: A002  see Env
    """A decimal number."""
    return Env(name, help, "a number", read=read_number)


def integer(name: str, help: str) -> Env:  # noqa: A002  see Env
    """A whole number."""
    return Env(name, help, "a whole number", read=read_integer)


def word(name: str, help: str, noun: str) -> Env:  # noqa: A002  see Env
    """One of a few words."""
    return Env(name, help, noun, read=read_word)


def address(name: str, help: str) -> Env:  # noqa: A002  see Env
    """The address of a service."""
    return Env(name, help, _ADDRESS)


# -- readers -------------------------------------------------------------------------------


def read_number(value: str) -> object:
    """A plain decimal number; not ``nan``, ``1_000`` or ``1e3``."""
    value = value.strip()
    return float(value) if _NUMBER.fullmatch(value) else value


def read_integer(value: str) -> object:
    """A whole number; ``3.0`` is none."""
    value = value.strip()
    return int(value) if _INTEGER.fullmatch(value) else value


def read_switch(value: str) -> object:
    """``true`` or ``false``, and the other usual words for them."""
    value = value.strip()
    return _SWITCH.get(value.lower(), value)


def read_word(value: str) -> object:
    """A word, in small letters."""
    return value.strip().lower()


def read_path(value: str) -> object:
    """The path of a file, as it stands."""
    return Path(value.strip())


def unquoted(value: str) -> tuple[str, tuple[str, ...]]:
    """A value without the quotes around it, and a note of them.

    Docker's ``--env-file`` takes a line as it stands, and a shell's quotes with it.
    """
    text = value.strip()
    inner = text[1:-1]
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in inner:
        return inner, ("quotes around it",)
    return value, ()


def tidy_token(value: str) -> tuple[str, tuple[str, ...]]:
    """A token without what is pasted along with it, and what that was.

    Browsers keep the token in quotes (seen in the service's local storage), and HTTP tools
    show it behind ``Bearer``.
    """
    notes = []
    tidied = value.strip()
    if tidied != value:
        notes.append("white space around it")
    if len(tidied) > 1 and tidied[0] == tidied[-1] and tidied[0] in "\"'":
        tidied = tidied[1:-1].strip()
        notes.append("quotes around it")
    bare = re.sub(r"(?i)^bearer(?:\s+|$)", "", tidied)
    if bare != tidied:
        notes.append("'Bearer' before it")
    return bare, tuple(notes)


# -- checks --------------------------------------------------------------------------------


def check_token(value: SecretStr) -> SecretStr:
    """A secret that travels in HTTP headers."""
    secret = value.get_secret_value()
    if _SENDABLE.fullmatch(secret):
        return value  # what is wrong with another is found out below
    if not secret:
        raise ValueError("is empty")
    if len(secret) > LONGEST_TOKEN:
        raise ValueError(f"is longer than {LONGEST_TOKEN} characters")
    for position, char in enumerate(secret, start=1):
        if not "!" <= char <= "~":
            kind = "white space" if char.isspace() else f"U+{ord(char):04X}"
            raise ValueError(
                f"holds {kind}, which no HTTP header can carry (character {position} of {len(secret)})"
            )
    return value


def check_id(value: str) -> str:
    """The id of a user, a group, a room or an app."""
    if ID.fullmatch(value):
        return value
    hint = "; give the room's uuid, `hangbot init --room URL` finds it" if "/" in value else ""
    raise ValueError(f"expected at most 100 letters, digits, '-' and '_'{hint}")


def check_chat_url(value: str) -> str:
    """The address of the chat, without the API's version, which the client adds."""
    return _API_VERSION.sub("", check_gateway_url(value)).rstrip("/")


def check_gateway_url(value: str) -> str:
    """An ``http`` address without a user."""
    parts = _url(value, ("https", "http"))
    if "@" in parts.netloc:
        raise ValueError("expected no user or password in the address")
    return parts.geturl().rstrip("/")


def check_room_url(value: str) -> str:
    """The address of the room socket; its client turns ``http`` into ``ws`` by itself."""
    return _url(value, ("https", "http", "wss", "ws")).geturl().rstrip("/")


def _url(value: str, schemes: tuple[str, ...]) -> SplitResult:
    # Looked at first: urlsplit drops tabs and line ends without a word.
    if not all("!" <= char <= "~" for char in value):
        raise ValueError("expected an address without spaces and characters beyond ASCII")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError("expected an address with a host and a port from 1 to 65535") from None
    if parts.scheme not in schemes or not parts.netloc:
        raise ValueError(f"expected an address that begins with {' or '.join(f'{s}://' for s in schemes)}")
    host = parts.netloc.rpartition("@")[2].removesuffix(f":{port}").removesuffix(":")
    if not _HOST.fullmatch(host) or port == 0:
        raise ValueError("expected an address with a host and a port from 1 to 65535")
    if "?" in value or "#" in value:
        raise ValueError("expected an address without '?' and '#'")
    return parts


def check_line(value: str) -> str:
    """Text on one line."""
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in value):
        raise ValueError("expected text on one line, without control characters")
    return value


def check_text(value: str) -> str:
    """Text, on several lines if need be."""
    if any(unicodedata.category(char) in {"Cc", "Cs"} and char not in "\n\t" for char in value):
        raise ValueError("expected text without control characters")
    return value


def check_file(value: Path) -> Path:
    """The path of a file that may not exist yet."""
    written = str(value)
    if "\0" in written or written.startswith("~") or written == ".":
        raise ValueError("expected the path of a file, written out (no '~')")
    if re.match(r"[a-z][a-z0-9+]*:/", written):
        raise ValueError("expected the path of a file; an address is none")
    return value
