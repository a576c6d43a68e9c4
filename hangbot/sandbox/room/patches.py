"""Differences of two states in the form that the service sends them.

PURE. The form is that of recorded production messages: only ``add``, ``replace`` and
``remove``; keys from the last to the first, deep, removals on the way, additions after
them; arrays compared by index. Values of a state are never changed in place: a change
puts new containers along its path, so that "the same object" means "nothing changed".
"""

from collections.abc import Iterable, Mapping
from itertools import compress
from operator import is_not
from typing import Any, Final

__all__ = ["MISSING", "Operation", "PatchBuilder", "compare", "pointer"]

Operation = dict[str, Any]
"""One RFC 6902 operation: ``op``, ``path`` and, but for ``remove``, ``value``."""


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""Stands for a value that is not there."""


def pointer(key: str) -> str:
    """A key as one step of a JSON Pointer, with the slash before it."""
    if "~" in key or "/" in key:
        key = key.replace("~", "~0").replace("/", "~1")
    return f"/{key}"


def compare(before: object, after: object, path: str = "") -> list[Operation]:
    """The operations that make ``after`` of ``before``; ``path`` is where they stand."""
    ops: list[Operation] = []
    _compare(before, after, path, ops)
    return ops


def _compare(before: object, after: object, path: str, ops: list[Operation]) -> None:
    if before is after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        _compare_objects(before, after, path, ops)
    elif isinstance(before, list) and isinstance(after, list):
        _compare_arrays(before, after, path, ops)
    elif not _same(before, after):
        ops.append({"op": "replace", "path": path, "value": after})


def _same(a: object, b: object) -> bool:
    # To Python 1 == True; to JSON they are different values.
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict | list) or isinstance(b, dict | list):
        return False
    return a == b


def _compare_objects(
    before: dict[str, object], after: dict[str, object], path: str, ops: list[Operation]
) -> None:
    for key in reversed(before):
        if key in after:
            if before[key] is not after[key]:
                _compare(before[key], after[key], path + pointer(key), ops)
        else:
            ops.append({"op": "remove", "path": path + pointer(key)})
    ops.extend(
        {"op": "add", "path": path + pointer(key), "value": value}
        for key, value in after.items()
        if key not in before
    )


def _compare_arrays(before: list[object], after: list[object], path: str, ops: list[Operation]) -> None:
    ops.extend(
        {"op": "remove", "path": f"{path}/{index}"} for index in range(len(before) - 1, len(after) - 1, -1)
    )
    # Found without a Python loop: a room's lists have thousands of users, and a join changes the last few.
    changed = list(compress(range(len(before)), map(is_not, before, after)))
    for index in reversed(changed):
        _compare(before[index], after[index], f"{path}/{index}", ops)
    ops.extend(
        {"op": "add", "path": f"{path}/{index}", "value": after[index]}
        for index in range(len(before), len(after))
    )


class PatchBuilder:
    """Changes to a state, remembered so that only what was touched is compared.

    A vote in a room of two thousand touches one user; comparing the whole state for it
    would look at two thousand.

    Args:
        state: The room's state; it is changed at once.
        deep: The key whose entries are remembered one by one (``allUserData``).
    """

    def __init__(self, state: dict[str, Any], deep: str = "allUserData") -> None:
        self._state = state
        self._deep = deep
        self._before: dict[str, Any] = {}
        self._entries: dict[str, Any] = {}

    def set(self, key: str, value: object) -> None:
        """Give a top-level key a new value."""
        self._before.setdefault(key, self._state[key])
        self._state[key] = value

    def set_entry(self, key: str, value: object) -> None:
        """Give one entry under ``deep`` a new value; ``MISSING`` takes it away."""
        entries = self._state[self._deep]
        self._entries.setdefault(key, entries.get(key, MISSING))
        if value is MISSING:
            entries.pop(key, None)
        else:
            entries[key] = value

    def patch(self) -> list[Operation]:
        """What was changed, in the recorded order."""
        ops: list[Operation] = []
        for key in reversed(self._state):
            if key in self._before:
                _compare(self._before[key], self._state[key], f"/{key}", ops)
            elif key == self._deep and self._entries:
                self._patch_entries(ops)
        return ops

    def _patch_entries(self, ops: list[Operation]) -> None:
        entries = self._state[self._deep]
        path = f"/{self._deep}"
        added: list[Operation] = []
        for key in self._in_order(entries):
            before, after = self._entries[key], entries.get(key, MISSING)
            here = path + pointer(key)
            if before is MISSING:
                if after is not MISSING:
                    added.append({"op": "add", "path": here, "value": after})
            elif after is MISSING:
                ops.append({"op": "remove", "path": here})
            else:
                _compare(before, after, here, ops)
        ops.extend(reversed(added))

    def _in_order(self, entries: Mapping[str, Any]) -> Iterable[str]:
        if len(self._entries) == 1:
            return self._entries
        gone = [key for key in self._entries if key not in entries]
        return [*gone, *(key for key in reversed(list(entries)) if key in self._entries)]
