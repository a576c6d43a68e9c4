"""The room's state: steps of a JSON Patch, as far as the room sends them."""

from typing import Any


def apply(state: Any, step: dict[str, Any]) -> None:  # noqa: ANN401  as JSON has it
    """Apply one step in place; a member that is not there is no error to remove or replace.

    Args:
        state: What it changes.
        step: With op, path and value.

    Raises:
        LookupError, ValueError, TypeError, AttributeError: It does not fit.
    """
    *way, last = (part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:])
    place = state
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    op = step["op"]
    if isinstance(place, list):
        _on_list(place, op, last, step.get("value"))
    elif op == "remove":
        place.pop(last, None)
    elif op in {"add", "replace"}:
        place[last] = step["value"]
    else:
        raise ValueError(op)


def _on_list(place: list[Any], op: str, last: str, value: Any) -> None:  # noqa: ANN401  as JSON has it
    index = len(place) if last == "-" else int(last)
    if op == "add" and index <= len(place):
        place.insert(index, value)
    elif op == "remove":
        del place[index]
    elif op == "replace":
        place[index] = value
    else:
        raise ValueError(op)
