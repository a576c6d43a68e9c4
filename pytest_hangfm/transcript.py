"""The sandbox's journal as a transcript for people: who said and did what, and when."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hangbot.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from hangbot.sandbox import Sandbox

__all__ = ["describe_frame", "name_in", "transcribe", "transcript"]

_LONGEST: Final = 140
_MOST_EVENTS: Final = 2000
"""Of a journal the newest: a test that talks for minutes is not to make its report unreadable."""
_SUCCESS: Final = range(200, 300)
_PRIMUS: Final = "primus::"


@dataclass(slots=True)
class _Line:
    t_ms: int
    text: str
    times: int = 1


def transcript(sandbox: Sandbox) -> list[str]:
    """Return what went over a sandbox's wires lately, as `transcribe` does."""
    return transcribe(sandbox.journal.since()[0][-_MOST_EVENTS:], lambda uid: name_in(sandbox, uid))


def name_in(sandbox: Sandbox, uid: str) -> str:
    """Return what a user is called in a sandbox; the uid itself where it is not known."""
    try:
        return sandbox.users.get(uid).nickname
    except KeyError:
        return uid


def transcribe(events: Iterable[Mapping[str, Any]], name_of: Callable[[str], str]) -> list[str]:
    """Return what went over the wires, a line an event; a poll that repeats is one line with its number.

    Args:
        events: Rows of the journal, oldest first.
        name_of: The name of a user's uid.
    """
    lines: list[_Line] = []
    for t_ms, text in _lines(events, name_of):
        # A poll is two lines long (asked, answered), so what repeats is looked for among the last two.
        known = next((line for line in lines[-2:] if line.text == text), None)
        if known is None:
            lines.append(_Line(t_ms, text))
        else:
            known.times += 1
    start = lines[0].t_ms if lines else 0
    return [_shown(line, start) for line in lines]


def _shown(line: _Line, start: int) -> str:
    text = f"{(line.t_ms - start) / 1000:+9.3f} s  {printable(line.text)}"
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return f"{text}  (x {line.times})" if line.times > 1 else text


def _lines(events: Iterable[Mapping[str, Any]], name_of: Callable[[str], str]) -> Iterator[tuple[int, str]]:
    for event in events:
        who = name_of(event["uid"]) if event.get("uid") else "somebody"
        what = _in_words(event, who, name_of)
        if what:
            fault = f"  [fault {event['fault']}]" if "fault" in event else ""
            yield event["t_ms"], what + fault


def _in_words(event: Mapping[str, Any], who: str, name_of: Callable[[str], str]) -> str:
    service, inward = event["service"], event["dir"] == "in"
    arrow = f"{who} -> {service}" if inward else f"{service} -> {who}"
    match event["kind"]:
        case "http" if inward:
            return "" if service == "room" else f"{arrow}: {_request(event)}"
        case "http":
            return _answer(event, service)
        case "frame":
            return f"{arrow}: {describe_frame(str(event.get('frame', '')), name_of)}"
        case "open":
            return f"{who} is connected to the {service}"
        case _:
            code = event.get("code")
            ended = f"{who} leaves the {service}" if inward else f"the {service} ends {who}'s connection"
            return ended if code is None else f"{ended} ({code})"


def _request(event: Mapping[str, Any]) -> str:
    body = event.get("body")
    data = body.get("data") if isinstance(body, dict) else None
    text = data.get("text") if isinstance(data, dict) else None
    path = str(event.get("path", "")).partition("?")[0]
    return f"{event.get('method', '')} {path}" + (f": {text!r}" if text is not None else "")


def _answer(event: Mapping[str, Any], service: str) -> str:
    """Describe a refusal with its words; a success has no line."""
    status = event.get("status")
    if status is None:
        return f"{service}: no answer" if "fault" in event else ""
    return "" if status in _SUCCESS else f"{service} answers {status}: {event.get('body') or ''}"


def describe_frame(text: str, name_of: Callable[[str], str] = str) -> str:
    """Describe a frame of the room socket: its action or message by name, and the users that it is about.

    Args:
        text: The frame as it was on the wire.
        name_of: The name of a user's uid.
    """
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return text  # cut short in the journal, nested beyond reading, no JSON at all: what there is to see
    match frame:
        case str():
            return frame.removeprefix(_PRIMUS)
        case {"welcome": _}:
            return "welcome"
        case {"event": "action", "params": {"action": action, **params}}:
            shown = {name: value for name, value in params.items() if name != "roomUuid"}
            return f"{action} #{frame.get('messageId')}" + (f" {json.dumps(shown)}" if shown else "")
        case {"context": "response", "error": error, **more} if error:
            return f"refuses #{more.get('messageId')}: {error}"
        case {"context": "response", **more}:
            return f"done #{more.get('messageId')}"
        case {"message": {"name": str() as name} as message}:
            return name + _about(message, name_of)
    return text


def _about(message: Mapping[str, Any], name_of: Callable[[str], str]) -> str:
    """Return the users that a room message names."""
    params, patch = message.get("params"), message.get("statePatch")
    if isinstance(params, dict):
        uid = params.get("userUuid")
        rest = {name: value for name, value in params.items() if name != "userUuid"}
        return (f" ({name_of(uid)})" if isinstance(uid, str) else "") + (
            f" {json.dumps(rest)}" if rest else ""
        )
    paths = [str(change.get("path")) for change in patch or () if isinstance(change, dict)]
    uids = dict.fromkeys(path.split("/")[2] for path in paths if path.startswith("/allUserData/"))
    return f" ({', '.join(map(name_of, uids))})" if uids else ""
