"""How values of any type are read: as text, as a number, as the fields of a form.

PURE. Measured on OpenChat: what it wants as text may be a number, a truth value or a list of texts
(which are strung together); an object makes it crash. Of a number the leading digits count.
"""

import re
import sys
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from hangbot.sandbox.chat.rows import Json
from hangbot.sandbox.chat.rules import ChatRefusal

__all__ = ["first_given", "leading_number", "nested", "parse_int", "query_words", "text_of"]

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,64}")
_KEYS: Final = re.compile(r"\[([^\[\]]*)\]")
_MOST_KEYS: Final = 32


def text_of(value: Json, parameter: str) -> str:
    """Take a value as text.

    Raises:
        ChatRefusal: `bad_value`: it is, or holds, an object.
    """
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list():
            return "".join(_character(part, parameter) for part in value)
        case _:
            raise ChatRefusal("bad_value", parameter=parameter)


def _character(part: Json, parameter: str) -> str:
    if isinstance(part, int) and not isinstance(part, bool) and 0 <= part <= sys.maxunicode:
        return chr(part)
    if isinstance(part, str | list):
        return text_of(part, parameter)
    raise ChatRefusal("bad_value", parameter=parameter)


def first_given(fields: Mapping[str, Json], *names: str) -> Json:
    """Take the first of several names for one thing; null is the same as nothing (measured for a send)."""
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def leading_number(text: str | None) -> int | None:
    """Read the number that a text begins with; None where it begins with something else."""
    found = _NUMBER.match(text) if text is not None else None
    return int(found[0]) if found else None


def parse_int(value: Json, otherwise: int) -> int:
    """Read a whole number of at most 18 digits from a value of any type."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else otherwise  # noqa: PLR2004  63 bits


def nested(pairs: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    """Read the fields of a form: `a[b]=1` is `{"a": {"b": 1}}`, `a[]=1` is `{"a": [1]}`."""
    fields: dict[str, Json] = {}
    for name, value in pairs:
        first, bracket, rest = name.partition("[")
        keys = _KEYS.findall(bracket + rest)[:_MOST_KEYS]
        _put(fields, first, keys, value)
    return fields


def _put(into: dict[str, Json], name: str, keys: list[str], value: Json) -> None:
    if not keys:
        into[name] = value
    elif keys[0] == "":
        known = into.get(name)
        into[name] = [*(known if isinstance(known, list) else ()), value]
    else:
        if not isinstance(into.get(name), dict):
            into[name] = {}
        _put(into[name], keys[0], keys[1:], value)


def query_words(query: str) -> dict[str, str]:
    """Read the parameters of a path as texts; of a repeated one the last counts."""
    if not query:
        return {}
    fields = nested(parse_qsl(query, keep_blank_values=True))
    return {name: text_of(value, name) for name, value in fields.items() if not isinstance(value, dict)}
