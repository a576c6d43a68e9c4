"""Patches of a room's state (RFC 6902), applied in place, whole or not at all.

An applier of our own, because no library is lenient by kind of container or can undo, and a room
makes thousands of patches: a vote costs a microsecond or two here, as with npm ``fast-json-patch``
(``make bench``). Where it goes beyond the RFC:

- Objects are lenient. Removing a member that is not there changes nothing, replacing one sets it: a
  server that compares objects with undefined members sends exactly these (measured, and seen in bots).
- Lists are strict: a wrong position drifts without an error.
- Profiles may come late. A client gets ``allUserData`` only some time after its join, so an operation on
  a profile that is missing, or null, makes a placeholder; the profile takes its place later, but keeps the
  votes that it does not name.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from hangbot.errors import WireError

__all__ = ["MISFITS", "MISSING", "Change", "apply_patch", "undo"]

MISSING: Final[Any] = object()
"""Stands for a value that is not there."""

Change = tuple[Any, Any, Any, Any]
"""``(container, key, old, new)``: ``old`` is `MISSING` of what was put in, ``new`` of what was taken out."""

MISFITS: Final = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What applying a patch that does not fit raises."""

_USERS: Final = "allUsers"
_PROFILES: Final = "allUserData"
_VOTES: Final = "songVotes"
_ENTRY: Final = 3
"""Names in the path of a profile, the empty one before the first slash counted."""
_MOST_COPIED: Final = 2**22
"""Characters of JSON that one patch may copy: each ``copy`` could double the state."""
_WRONG_ESCAPE: Final = re.compile("~(?![01])")


def apply_patch(  # noqa: C901, PLR0912, PLR0915  in one piece: a call for each operation would cost as much as the operation
    data: dict[str, Any], patch: Sequence[Any], log: list[Change], late: dict[str, bool]
) -> list[Change]:
    """Change a state as a patch says.

    Args:
        data: The state.
        patch: The operations as they came.
        log: Every change is appended to it, also when an operation fails: `undo` needs it then.
        late: The uuids of placeholders, kept here.

    Returns:
        The changes of ``/allUsers`` and below it.

    Raises:
        Exception: One of `MISFITS`: an operation does not fit.
        WireError: It replaced the whole state.
    """
    of_users: list[Change] = []
    copied = 0
    for step in patch:
        op, path = step["op"], step["path"]
        names = _unescaped(path) if "~" in path else path.split("/")
        try:  # the frequent depths one by one: a slice and a loop take as long as all the rest
            match names:
                case ["", top, key]:
                    node = data[top]
                case ["", top, name, key]:
                    node = data[top]
                    node = node[name] if type(node) is dict else node[_POSITIONS[name]]
                case ["", top, name, part, key]:
                    node = data[top]
                    node = node[name] if type(node) is dict else node[_POSITIONS[name]]
                    node = node[part] if type(node) is dict else node[_POSITIONS[part]]
                case ["", key]:
                    node, top = data, key
                case ["", top, *between, key]:
                    node = data[top]
                    for name in between:
                        node = node[name] if type(node) is dict else node[_POSITIONS[name]]
                case _:  # the root, which only `test` and `copy` may name, or no pointer
                    node, top, key = None, "", ""
        except (KeyError, TypeError, ValueError) as exc:
            if op not in {"add", "replace", "remove"} or names[1] != _PROFILES or len(names) < _ENTRY:
                raise
            if type(exc) is not KeyError and not _ends_in_null(data, names):
                raise
            if op == "remove":
                continue
            node, top, key = _placeholder(data, names, log, late), _PROFILES, names[-1]
        if node is None and top == _PROFILES:
            if op == "remove":
                continue
            node = _placeholder(data, names, log, late)
        if op == "replace" or op == "add":  # noqa: PLR1714  half the time of a look-up in a tuple
            value = step["value"]
        elif op == "remove":
            value = MISSING
        else:
            copied += _rare(data, step, log, late, of_users)
            if copied > _MOST_COPIED:
                raise ValueError("it copies too much")
            continue
        if late and top == _PROFILES and len(names) <= _ENTRY:
            value = _arrived(names, node, value, log, late)
        if type(node) is dict:
            if key in node:
                old = node[key]
                if value is MISSING:
                    del node[key]
                else:
                    node[key] = value
            elif value is MISSING:
                continue  # nothing there to remove
            else:
                old = MISSING
                node[key] = value
        elif type(node) is not list:
            raise WireError("a patch replaced the whole room state") if names == [""] else TypeError
        elif op == "add":
            old, key = MISSING, len(node) if key == "-" else _POSITIONS[key]
            if key > len(node):
                raise IndexError
            node.insert(key, value)
        elif value is MISSING:
            key = _POSITIONS[key]
            old = node.pop(key)
        else:
            key = _POSITIONS[key]
            old = node[key]
            node[key] = value
        change = (node, key, old, value)
        log.append(change)
        if top == _USERS:
            of_users.append(change)
    return of_users


def undo(log: list[Change]) -> None:
    """Reverse the changes of a log, the last one first, and empty it."""
    while log:
        node, key, old, new = log.pop()
        if old is MISSING:
            del node[key]
        elif new is MISSING and type(node) is list:
            node.insert(key, old)
        else:
            node[key] = old


def _placeholder(data: dict[str, Any], names: list[str], log: list[Change], late: dict[str, bool]) -> Any:  # noqa: ANN401  an object of a JSON document
    """Make what is missing on the way to a part of a profile, and return where the part belongs."""
    if data.get(_PROFILES) is None:
        log.append((data, _PROFILES, data.get(_PROFILES, MISSING), {}))
        data[_PROFILES] = {}
    node = data[_PROFILES]
    for depth, name in enumerate(names[2:-1]):
        if type(node) is not dict:
            raise TypeError
        if node.get(name) is None:
            log.append((node, name, node.get(name, MISSING), {}))
            node[name] = {}
            if not depth:
                late[name] = True
                log.append((late, name, MISSING, True))
        node = node[name]
    return node


def _ends_in_null(data: Any, names: list[str]) -> bool:  # noqa: ANN401  a JSON document
    """Return whether a null stands on the way to a part of a profile: such a profile counts as missing."""
    for name in names[1:-1]:
        data = data.get(name, MISSING) if type(data) is dict else MISSING
        if data is None:
            return True
    return False


def _arrived(names: list[str], node: Any, value: Any, log: list[Change], late: dict[str, bool]) -> Any:  # noqa: ANN401  values of a JSON document
    """Return what takes the place of a placeholder, or of all: it keeps the votes that it does not name."""
    if len(names) < _ENTRY:  # all profiles at once
        before, kept = node.get(_PROFILES), dict(value) if isinstance(value, dict) else value
        for uuid in list(late):
            entry = kept.get(uuid, MISSING) if isinstance(kept, dict) else MISSING
            entry = _arrived(["", _PROFILES, uuid], before, entry, log, late)
            if entry is not MISSING:
                kept[uuid] = entry
        return kept
    uuid = names[-1]
    if uuid not in late:
        return value
    del late[uuid]
    log.append((late, uuid, True, MISSING))
    votes = node[uuid].get(_VOTES) if isinstance(node, dict) and isinstance(node.get(uuid), dict) else None
    if not isinstance(votes, dict) or not isinstance(value, dict):
        return value
    named = value.get(_VOTES)
    return {**value, _VOTES: {**votes, **named}} if isinstance(named, dict) else {**value, _VOTES: votes}


def _rare(
    data: dict[str, Any],
    step: dict[str, Any],
    log: list[Change],
    late: dict[str, bool],
    of_users: list[Change],
) -> int:
    """Carry out what the service never sends: ``test``, ``copy``, ``move``.

    Returns:
        How much was copied, in characters of JSON.
    """
    op, path = step["op"], step["path"]
    if op == "test":
        if _value_at(data, path) != step["value"]:
            raise ValueError
        return 0
    if op not in {"copy", "move"}:
        raise ValueError
    source = step["from"]
    value, size = _value_at(data, source), 0
    if op == "copy":
        text = json.dumps(value)
        value, size = json.loads(text), len(text)
    elif path.startswith(f"{source}/"):
        raise ValueError
    steps = [{"op": "remove", "path": source}] if op == "move" else []
    steps.append({"op": "add", "path": path, "value": value})
    of_users += apply_patch(data, steps, log, late)
    return size


def _value_at(data: Any, path: str) -> Any:  # noqa: ANN401  values of a JSON document
    names = _unescaped(path)
    if names[0]:
        raise ValueError
    for name in names[1:]:
        data = data[_POSITIONS[name]] if type(data) is list else data[name]
    return data


def _unescaped(path: str) -> list[str]:
    if _WRONG_ESCAPE.search(path):
        raise ValueError
    return [name.replace("~1", "/").replace("~0", "~") for name in path.split("/")]


class _Positions(dict[str, int]):
    """List positions by their names; looking one up takes a third of the time of reading it."""

    def __missing__(self, name: str) -> int:
        position = int(name)
        if str(position) != name or position < 0:  # "01", "+1", "1_0" and digits of other scripts
            raise ValueError
        if position < _POSITIONS_KEPT:
            self[name] = position
        return position


_POSITIONS_KEPT: Final = 10_000
_POSITIONS: Final = _Positions()
