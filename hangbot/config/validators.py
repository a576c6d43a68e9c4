"""What the text of a setting may be: readers turn it into a value, checks refuse a wrong one. PURE.

A reader returns the text unchanged where it cannot read it: the model then refuses it. A check raises
``ValueError`` with a sentence that never holds the value.
"""

import re
import unicodedata
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from hangbot.claims import read_claims

__all__ = [
    "ID",
    "check_chat_url",
    "check_file",
    "check_gateway_url",
    "check_id",
    "check_line",
    "check_room_url",
    "check_text",
    "check_token",
    "read_integer",
    "read_number",
    "read_path",
    "read_switch",
    "read_word",
    "uid_of",
]

ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
"""What the chat's documentation allows for a uid or a guid."""

_LONGEST_TOKEN: Final = 8_192
_SENDABLE: Final = re.compile(f"[!-~]{{1,{_LONGEST_TOKEN}}}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,15}")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]+\.?|\[[0-9A-Fa-f:.]+\]")
_API_VERSION: Final = re.compile(r"/v3(?:\.0)?/*$")
_SWITCH: Final = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(
    ("false", "no", "off", "0"), False
)


# -- readers -------------------------------------------------------------------------------


def read_number(value: str) -> object:
    """Read a plain decimal number; not ``nan``, ``1_000`` or ``1e3``."""
    value = value.strip()
    return float(value) if _NUMBER.fullmatch(value) else value


def read_integer(value: str) -> object:
    """Read a whole number; ``3.0`` is none."""
    value = value.strip()
    return int(value) if _INTEGER.fullmatch(value) else value


def read_switch(value: str) -> object:
    """Read ``true`` or ``false``, or another usual word for one of them."""
    value = value.strip()
    return _SWITCH.get(value.lower(), value)


def read_word(value: str) -> object:
    """Read a word, in small letters."""
    return value.strip().lower()


def read_path(value: str) -> object:
    """Read the path of a file, as it stands."""
    return Path(value.strip())


# -- checks --------------------------------------------------------------------------------


def check_token(value: SecretStr) -> SecretStr:
    """Check a secret that travels in HTTP headers."""
    secret = value.get_secret_value()
    if _SENDABLE.fullmatch(secret):
        return value
    if not secret:
        raise ValueError("is empty")
    if len(secret) > _LONGEST_TOKEN:
        raise ValueError(f"is longer than {_LONGEST_TOKEN} characters")
    position, char = next((n, c) for n, c in enumerate(secret, start=1) if not "!" <= c <= "~")
    kind = "white space" if char.isspace() else f"U+{ord(char):04X}"
    raise ValueError(f"holds {kind}, which no HTTP header can carry (character {position} of {len(secret)})")


def check_id(value: str) -> str:
    """Check the id of a user, a group, a room or an app."""
    if ID.fullmatch(value):
        return value
    hint = "; give the room's uuid, `hangbot init --room URL` finds it" if "/" in value else ""
    raise ValueError(f"expected at most 100 letters, digits, '-' and '_'{hint}")


def uid_of(token: SecretStr) -> str | None:
    """Return the user id that a token's (unverified) claims name; ``None`` where there is no usable one."""
    claims = read_claims(token.get_secret_value())
    uid = claims.uid if claims else None
    return uid if uid and ID.fullmatch(uid) else None


def check_chat_url(value: str) -> str:
    """Check the address of the chat, and drop the API's version, which the client adds."""
    return _API_VERSION.sub("", check_gateway_url(value)).rstrip("/")


def check_gateway_url(value: str) -> str:
    """Check an ``http`` address without a user."""
    parts = _url(value, ("https", "http"))
    if "@" in parts.netloc:
        raise ValueError("expected no user or password in the address")
    return parts.geturl().rstrip("/")


def check_room_url(value: str) -> str:
    """Check the address of the room socket; its client turns ``http`` into ``ws`` by itself."""
    return _url(value, ("https", "http", "wss", "ws")).geturl().rstrip("/")


def _url(value: str, schemes: tuple[str, ...]) -> SplitResult:
    # Checked before splitting: urlsplit silently drops tabs and line ends.
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
    """Check text on one line."""
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in value):
        raise ValueError("expected text on one line, without control characters")
    return value


def check_text(value: str) -> str:
    """Check text that may have several lines."""
    if any(unicodedata.category(char) in {"Cc", "Cs"} and char not in "\n\t" for char in value):
        raise ValueError("expected text without control characters")
    return value


def check_file(value: Path) -> Path:
    """Check the path of a file that may not exist yet."""
    written = str(value)
    if "\0" in written or written.startswith("~") or written == ".":
        raise ValueError("expected the path of a file, written out (no '~')")
    if re.match(r"[a-z][a-z0-9+]*:/", written):
        raise ValueError("expected the path of a file; an address is none")
    return value
