"""The start of a replay whose recording begins while the bot runs: what is answered until then. PURE."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from hangbot.hangfm.played import Answer
from hangbot.incident.recording import Happened, Line, Recording

__all__ = ["START", "TOKEN", "answer_of_a_start", "start_of_a_line"]

START: Final = 5.0
"""Seconds that a bot has to start before the recording begins."""
TOKEN: Final = "a-token-of-the-replay"  # noqa: S105  it opens nothing
"""What stands for a chat token."""
_MOST_ROWS: Final = 50
_JSON: Final = {"content-type": "application/json"}


def answer_of_a_start(recording: Recording, row: Mapping[str, Any], uid: str) -> Answer:
    """Answer a request of the start: as it was answered last before the recording, or as it has to be."""
    path = row["target"].partition("?")[0]
    document: object = {"data": {}}
    if path.endswith("/user-token"):
        document = {"cometAuthToken": TOKEN}
    elif path.endswith("/messages") and "/groups/" in path:
        document = {"data": _rows(recording, f"group_{unquote(path.split('/')[-2])}")}
    elif path.endswith("/conversations"):
        document = {
            "data": [_conversation(key, number) for key, number in recording.kept["heard"].items() if number]
        }
    elif path.endswith("/messages"):
        document = {"data": []}
    else:
        for exchange in recording.before:
            known = exchange.row
            alike = known["method"] == row["method"] and known["target"].partition("?")[0] == path
            if alike and exchange.end is not None and "json" in exchange.end.row:
                document = exchange.end.row["json"]
        if document == {"data": {}} and path.endswith("/me"):
            document = {"data": {"uid": uid, "jwt": TOKEN}}
    return Answer(200, _JSON, json.dumps(document).encode())


def start_of_a_line(recording: Recording, line: Line) -> Line:
    """Return a connection that was open when the recording began, with a start of its own before that."""
    if line.service == "chat":
        frames: list[tuple[str, object]] = [
            ("out", {"type": "auth"}),
            ("in", {"type": "auth", "body": {"status": "OK", "code": "200"}}),
        ]
    else:
        joining = {"event": "action", "params": {"action": "joinRoom"}, "messageId": "start"}
        answer = {
            "context": "response",
            "messageId": "start",
            "state": recording.kept["room"] or {"allUsers": []},
        }
        frames = [("in", {"welcome": "", "context": "api"}), ("out", joining), ("in", answer)]
    started = [Happened(-START, {"kind": kind, "conn": line.number, "json": value}) for kind, value in frames]
    return Line(line.number, line.service, line.asked, line.opened, [*started, *line.events])


def _rows(recording: Recording, key: str) -> list[Any]:
    """Return what of a conversation had been heard before: as later pages show them."""
    heard = recording.kept["heard"].get(key, 0)
    if not heard:
        return []
    shown: dict[int, Any] = {}
    for exchange in recording.exchanges:
        page = exchange.end.row.get("json") if exchange.end else None
        rows = page.get("data") if isinstance(page, dict) else None
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and row.get("conversationId") == key and _number(row) <= heard:
                shown[_number(row)] = row
    if heard not in shown:
        shown[heard] = _row(heard, key.partition("_")[2])
    return [shown[number] for number in sorted(shown)][-_MOST_ROWS:]


def _number(row: Mapping[str, Any]) -> int:
    number = row.get("id")
    return int(str(number)) if str(number).isdecimal() else 0


def _row(number: int, receiver: str, *, kind: str = "group") -> dict[str, Any]:
    return {
        "id": number,
        "sender": "app_system",
        "receiver": receiver,
        "receiverType": kind,
        "category": "message",
        "type": "text",
        "sentAt": 0,
        "data": {"text": ""},
    }


def _conversation(key: str, number: int) -> dict[str, Any]:
    kind, _, name = key.partition("_")
    return {
        "conversationType": kind,
        "conversationWith": {"guid" if kind == "group" else "uid": name},
        "lastMessage": _row(number, name, kind=kind),
    }
