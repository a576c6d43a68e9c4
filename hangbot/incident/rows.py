"""The rows of a journal without what may be about a person. PURE."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from hangbot.incident.disguise import Disguise
from hangbot.incident.vocabulary import words

__all__ = ["disguised"]

_LINE: Final = re.compile(r"message \d{1,20}")
_AS_THEY_ARE: Final = words(
    """
    kind t before n conn ping service method status how errno theirs code direct refused message action step
    attempt state tier part red outcome change whose number bits schema lost start seconds began open base
    """
)
"""Fields with hangbot's own words, and numbers."""


def _text(disguise: Disguise, value: Any, row: Mapping[str, Any]) -> str:  # noqa: ANN401  any JSON value
    if row["kind"] == "said":
        return disguise.text(value, direct=row["direct"])
    return disguise.body(value)


def _app(disguise: Disguise, value: Any, row: Mapping[str, Any]) -> Any:  # noqa: ANN401  any JSON value
    """Return whether there is an app, or the name of one."""
    return value if row["kind"] == "kept" or value.startswith("hangbot:") else disguise.id(value)


_FIELDS: Final[Mapping[str, Callable[[Disguise, Any, Mapping[str, Any]], Any]]] = {
    "target": lambda disguise, value, _: disguise.target(value),
    "headers": lambda disguise, value, _: disguise.headers(value),
    "json": lambda disguise, value, _: disguise.value(value),
    "params": lambda disguise, value, _: disguise.value(value),
    "room": lambda disguise, value, _: value and disguise.value(value),
    "heard": lambda disguise, value, _: {disguise.id(key): number for key, number in value.items()},
    "handled": lambda disguise, value, _: {disguise.id(key): ids for key, ids in value.items()},
    "text": _text,
    "reason": lambda disguise, value, _: disguise.sentence(value),
    "detail": lambda disguise, value, _: disguise.sentence(value),
    "sentence": lambda disguise, value, _: disguise.sentence(value),
    "what": lambda disguise, value, _: value if _LINE.fullmatch(value) else disguise.sentence(value),
    "app": _app,
    "id": lambda disguise, value, _: disguise.id(value),
    "to": lambda disguise, value, _: disguise.id(value),
    "hex": lambda disguise, value, _: disguise.id(value),
}
"""What becomes of each of the others; one that is in neither is left out."""


def disguised(rows: Iterable[Mapping[str, Any]], disguise: Disguise) -> Iterator[dict[str, Any]]:
    """Yield rows of `hangbot.journal.rows` with stand-ins."""
    for row in rows:
        yield {
            name: value if name in _AS_THEY_ARE else _FIELDS[name](disguise, value, row)
            for name, value in row.items()
            if name in _AS_THEY_ARE or name in _FIELDS
        }
