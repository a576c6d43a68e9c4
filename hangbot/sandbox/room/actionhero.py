"""ActionHero's rules: message ids, actions, verbs, error texts.

PURE. Captured from ActionHero 29.3.5; production may override the texts.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from hangbot.sandbox.room import primus

__all__ = [
    "PENDING_LIMIT",
    "SHUTTING_DOWN",
    "TOO_MANY",
    "UNKNOWN_ACTION",
    "Call",
    "Verb",
    "file_answer",
    "js_text",
    "message_id",
    "parse",
    "response",
    "verb_failed",
    "verb_ok",
]

PENDING_LIMIT: Final = 5
UNKNOWN_ACTION: Final = "unknown action or invalid apiVersion"
TOO_MANY: Final = "you have too many pending requests"
SHUTTING_DOWN: Final = "the server is shutting down"


class Call(NamedTuple):  # made in a quarter of the time of a frozen dataclass, ten thousand times a second
    """A frame that runs an action.

    Attributes:
        action: Its name, or ``None`` where that cannot be one.
        params: Its parameters as sent.
        id: What the answer carries as ``messageId``.
    """

    action: str | None
    params: dict[str, Any]
    id: Any


class Verb(NamedTuple):
    """Any other frame.

    Attributes:
        name: The event as text; ``undefined`` when there is none.
        words: The verb's arguments: the room first, then whatever else there was.
        data: What a failure repeats.
        id: What the answer carries as ``messageId``.
    """

    name: str
    words: list[Any]
    data: Any
    id: Any


def message_id(given: object, new_id: Callable[[], str]) -> Any:  # noqa: ANN401  echoed unchanged whatever it is
    """Return what the answer carries: any value that JavaScript holds for true, otherwise a random UUID."""
    if given is None or given is False or given == "":
        return new_id()
    if isinstance(given, int | float) and given == 0:
        return new_id()
    return given


def parse(value: object, new_id: Callable[[], str]) -> Call | Verb:
    """What a decoded frame (anything but ``null``) asks for."""
    if not isinstance(value, dict):
        return Verb("undefined", [], value, new_id())
    answer_to = message_id(value.get("messageId"), new_id)
    event = value.get("event")
    if event == "action" and isinstance(event, str):
        params = value.get("params")
        params = params if isinstance(params, dict) else {}
        return Call(_action_name(params), params, answer_to)
    rest = {name: item for name, item in value.items() if name not in {"event", "messageId"}}
    words = []
    if rest.get("room"):
        words.append(rest.pop("room"))
    words += rest.values()
    return Verb(js_text(event) if "event" in value else "undefined", words, rest, answer_to)


def _action_name(params: Mapping[str, Any]) -> str | None:
    name, version = params.get("action"), params.get("apiVersion")
    if not isinstance(name, str):
        return None
    return name if not version or version in (1, "1") else None


def response(fields: Mapping[str, Any], answer_to: object) -> dict[str, Any]:
    """An action's answer: its fields at top level; a failure's only field is ``error``."""
    return {**fields, "context": "response", "messageId": answer_to}


def verb_ok(data: object, answer_to: object) -> dict[str, Any]:
    """A verb's answer; ``None`` stands for a verb that returns nothing."""
    body: dict[str, Any] = {"status": "OK", "context": "response"}
    if data is not None:
        body["data"] = data
    return {**body, "messageId": answer_to}


def verb_failed(verb: Verb, text: str, *, kind: str = "Error") -> dict[str, Any]:
    """A failed verb's answer: with a prefix that action errors do not have."""
    text = f"{kind}: {text}"
    return {"status": text, "error": text, "context": "response", "data": verb.data, "messageId": verb.id}


def file_answer(answer_to: object) -> dict[str, Any]:
    """What the event ``file`` gets: there are none."""
    fields = {"error": "that file is not found", "content": None, "mime": "text/html", "length": 22}
    return response(fields, answer_to)


def js_text(value: object) -> str:
    """A JSON value as JavaScript turns it into text."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case dict():
            return "[object Object]"
        case list():
            return ",".join("" if item is None else js_text(item) for item in value)
        case _:
            return primus.encode(value)
