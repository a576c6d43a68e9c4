"""How an operator names a message: by its id, or by a beginning of it that fits no other. PURE."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from hangbot.errors import UnknownMessage, UsageError

__all__ = ["named", "short_names"]

_SHORTEST: Final = 8
_MOST_NAMED: Final = 3


def named(given: str, group_ids: Mapping[str, str]) -> Sequence[str]:
    """Return the ids that a name means: those of all parts of a text, or that of one part.

    A complete id comes before ids that begin with it. The beginning of a text's id names the whole text,
    and with ``.2`` added its second part.

    Args:
        given: An id, or its beginning.
        group_ids: Every id of the outbox with the id of the text that it is part of, oldest first.

    Raises:
        UnknownMessage: Nothing fits.
        UsageError: Several messages fit.
    """
    if not given:
        raise UnknownMessage("no message is named: give its id, or how that begins")
    if given in group_ids and group_ids[given] != given:
        return [given]
    texts = dict.fromkeys(group_ids.values())
    found = [given] if given in texts else [text for text in texts if text.startswith(given)]
    if not found:
        head, dot, number = given.rpartition(".")
        parts = [f"{text}.{number}" for text in texts if dot and head and text.startswith(head)]
        return _one(given, [part for part in parts if part in group_ids])
    (text,) = _one(given, found)
    return [key for key, whole in group_ids.items() if whole == text]


def _one(given: str, found: Sequence[str]) -> Sequence[str]:
    if not found:
        raise UnknownMessage(f"no message {given} is in the outbox")
    if len(found) > 1:
        some = ", ".join(found[:_MOST_NAMED]) + (", …" if len(found) > _MOST_NAMED else "")
        raise UsageError(
            f"{given} fits {len(found)} messages ({some}); nothing was done",
            remedy="Give more of the id.",
        )
    return found


def short_names(group_ids: Mapping[str, str]) -> dict[str, str]:
    """Return for each id the shortest name by which `named` finds it, at least eight characters long."""
    shared: dict[str, int] = dict.fromkeys(group_ids.values(), 0)
    ordered = sorted({*group_ids, *shared})
    for ids in (ordered, ordered[::-1]):
        _note_neighbours(ids, group_ids, shared)
    names = {}
    for key, whole in group_ids.items():
        length = max(shared[whole] + 1, _SHORTEST)
        if whole[length : length + 1] == ".":  # otherwise it would look like a part
            length = len(whole)
        names[key] = whole[:length] + key[len(whole) :]
    return names


def _note_neighbours(ids: Iterable[str], group_ids: Mapping[str, str], shared: dict[str, int]) -> None:
    """Note how long a beginning each text's id shares with the nearest id of another text before it."""
    last, other = ("", ""), ("", "")  # the last id with its text, and the last one of another text
    for key in ids:
        text = group_ids.get(key, key)
        if text != last[1]:
            other = last
        last = key, text
        shared[text] = max(shared[text], _alike(text, other[0]))


def _alike(one: str, another: str) -> int:
    """Return the length of the beginning that two texts share."""
    pairs = enumerate(zip(one, another, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(another)))
