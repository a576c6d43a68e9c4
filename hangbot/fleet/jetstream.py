"""What JetStream is asked and how its answers are read: subjects, headers, JSON. PURE."""

import base64
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from hangbot.errors import HangbotError
from hangbot.fleet.refusals import ClusterRefused, ClusterUnfit
from hangbot.fleet.streams import AnswerMissing, ClusterAway, ClusterFull, Entry, Outdated

__all__ = [
    "BUSY",
    "ENDS",
    "EXISTS",
    "IN_PROCESS",
    "MISSING",
    "NONE",
    "NO_MORE",
    "NO_RESPONDER",
    "STATUS",
    "TOO_MANY",
    "Answer",
    "NoResponder",
    "StreamNames",
    "error_code",
    "error_of",
    "is_last",
    "notice_headers",
    "of_leader",
    "parsed",
    "record",
    "sequence_of",
    "store_headers",
]

STATUS: Final = "Status"
NO_MORE: Final = "204"
NONE: Final = "404"
NO_RESPONDER: Final = "503"
TOO_MANY: Final = "413"
ENDS: Final = frozenset({NO_MORE, NONE, TOO_MANY})
"""What ends the answers to a direct request: no more, none at all, too many."""
MISSING: Final = 10059
"""No such stream."""
EXISTS: Final = frozenset({10058, 10065})
"""There is another stream of that name, or one of these subjects."""
_NO_MESSAGE: Final = 10037
IN_PROCESS: Final = 10158
"""The same key is just being stored."""
BUSY: Final = 10164
"""A record of the same subject is: another one, or one that was acknowledged a moment ago."""
_OUTDATED: Final = frozenset({10071, BUSY})
"""Another one is newest, or may be."""
_NO_ROOM: Final = frozenset({10023, 10047, 10077, 10122})
_OFF: Final = frozenset({10035, 10039, 10076})
_FEW: Final = frozenset({10005, 10074})
_AWAY: Final = 503
_SEQUENCE: Final = "Nats-Sequence"


class NoResponder(ClusterAway):
    """No server has anything that answers it: no leader, or no JetStream at all."""


class Answer(NamedTuple):
    """What came back.

    Attributes:
        headers: Its headers; ``Status`` where the server itself says something.
        data: What it says.
    """

    headers: Mapping[str, str]
    data: bytes

    @property
    def status(self) -> str:
        """The server's own status; empty where it is a message."""
        return self.headers.get(STATUS, "")


class StreamNames(NamedTuple):
    """A stream's name, and what stands before its subjects.

    Attributes:
        stream: The stream's name.
        prefix: Before each subject.
        heard: Before it where writers notify others of what they have stored; empty: none does.
    """

    stream: str
    prefix: str
    heard: str = ""


def store_headers(
    names: StreamNames, subject: str, last: int, key: str, seconds: int | None
) -> dict[str, str]:
    """Return the headers that make a message a record: where it belongs, and after which one."""
    headers = {
        "Nats-Expected-Stream": names.stream,
        "Nats-Expected-Last-Subject-Sequence": str(last),
    }
    if key:
        headers["Nats-Msg-Id"] = f"{subject} {key}"  # the server knows one namespace for all subjects
    if seconds is not None:
        headers["Nats-TTL"] = f"{seconds}s"
    return headers


def parsed(answer: Answer) -> dict[str, Any]:
    """Read an answer of the JetStream API; one that is not readable counts as missing."""
    try:
        found = from_json(answer.data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise AnswerMissing("the NATS cluster gave an answer that cannot be read")
    return found


def error_code(found: Mapping[str, Any]) -> int:
    """Return JetStream's own code of an error; 0: it is none."""
    return int((found.get("error") or {}).get("err_code", 0))


def error_of(found: Mapping[str, Any]) -> HangbotError | Outdated:
    """Return what JetStream's error means."""
    error, code = found["error"], error_code(found)
    words = f"the NATS cluster says: {error.get('description', 'an error')} ({code})"
    if code in _OUTDATED:
        return Outdated(words)
    if code == IN_PROCESS:
        return AnswerMissing(words)
    if code in _NO_ROOM:
        return ClusterFull(words)
    if code in _OFF:
        return ClusterUnfit(f"JetStream is off ({words})")
    if code in _FEW:
        return ClusterUnfit(f"there are no three servers to store on ({words})")
    if error.get("code") == _AWAY:
        return ClusterAway(words)
    return ClusterRefused(words)


def is_last(answer: Answer) -> bool:
    """Whether an answer is the end of several: each of these ends with a status."""
    return bool(answer.status)


def record(names: StreamNames, answer: Answer) -> Entry:
    """Read a record that was asked for directly."""
    headers = answer.headers
    subject = headers["Nats-Subject"].removeprefix(names.prefix)
    return Entry(subject, int(headers[_SEQUENCE]), None if _is_mark(headers) else answer.data)


def notice_headers(sequence: int) -> dict[str, str]:
    """Return the headers that name a record as the servers do."""
    return {_SEQUENCE: str(sequence)}


def sequence_of(headers: Mapping[str, str]) -> int:
    """Return the sequence of a record that is stored, from what is said of it; 0 where it is not there."""
    said = headers.get(_SEQUENCE, "")
    return int(said) if said.isdecimal() else 0


def of_leader(names: StreamNames, found: Mapping[str, Any]) -> list[Entry]:
    """Read a record that the leader was asked for; none, where it has none."""
    if error_code(found) == _NO_MESSAGE:
        return []
    if "error" in found:
        raise error_of(found)
    message = found["message"]
    lines = base64.b64decode(message.get("hdrs", "")).decode(errors="replace").split("\r\n")[1:]
    headers = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    data = base64.b64decode(message.get("data", ""))
    subject = message["subject"].removeprefix(names.prefix)
    return [Entry(subject, int(message["seq"]), None if _is_mark(headers) else data)]


def _is_mark(headers: Mapping[str, str]) -> bool:
    """Whether it is the mark of what has expired, or of what a person deleted with ``nats kv``."""
    return "Nats-Marker-Reason" in headers or headers.get("KV-Operation") in {"DEL", "PURGE"}
