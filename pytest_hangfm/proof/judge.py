"""The judges: from what was seen to a sentence of what is wrong, or ``None``; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hangbot.redact import MASK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_hangfm.proof.evidence import Evidence

__all__ = [
    "ALWAYS",
    "acts_early",
    "backoff",
    "burst_of",
    "doubled",
    "forbidden",
    "growth",
    "hammering",
    "heartbeats",
    "idle_requests",
    "invisible",
    "leaks",
    "lost",
    "one_connection",
    "tokens_in_urls",
]

_OVERLAP_MS: Final = 5_000
"""A new connection may be opened before the old one is given up, for as long as this."""
_MANY_SOCKETS: Final = 3
_BURST: Final = 8
_BURST_MS: Final = 3_000
_GENTLE_MS: Final = 4_500
_RARER: Final = 0.7
_MOST_A_MINUTE: Final = 240
_MOST_A_SECOND: Final = 20
_SECOND_MS: Final = 1_000
_FEWEST_SIZES: Final = 6
_GROWN: Final = 25_000_000


def one_connection(evidence: Evidence) -> str | None:
    """Whether it held one room socket at a time."""
    story = evidence.open_sockets()
    most = max((number for _, number in story), default=0)
    if most >= _MANY_SOCKETS:
        return f"it had {most} room sockets open at once"
    ends = [at for at, _ in story[1:]] + [evidence.ended_ms]
    for (at, number), end in zip(story, ends, strict=False):
        if number > 1 and end - at > _OVERLAP_MS:
            return f"it kept {number} room sockets open for {(end - at) / 1000:.0f} s"
    return None


def acts_early(evidence: Evidence) -> str | None:
    """Whether it acted on no connection on which it had not sent joinRoom.

    A connection whose beginning the journal has dropped may have been joined then.
    """
    rows = (row for row in evidence.rows if row["service"] == "room" and row["kind"] == "open")
    not_joined = {row.get("conn") for row in rows}
    for frame in evidence.actions():
        params = frame.get("params")
        name = params.get("action") if isinstance(params, dict) else None
        if name == "joinRoom":
            not_joined.discard(frame["conn"])
        elif name and frame["conn"] in not_joined:
            return f"it ran {name} before it had sent joinRoom"
    return None


def leaks(evidence: Evidence) -> str | None:
    """Whether its output held no token."""
    found = [line for run in evidence.runs for line in run.leaks]
    return f"it printed a token: {found[0][:200]}" if found else None


def lost(evidence: Evidence) -> str | None:
    """Whether each question was answered."""
    asked, answered = len(evidence.questions), len(evidence.answers)
    return f"of {asked} questions {asked - answered} got no answer" if answered < asked else None


def doubled(evidence: Evidence) -> str | None:
    """Whether no question was answered twice."""
    asked, answered = len(evidence.questions), len(evidence.answers)
    if answered <= asked:
        return None
    return f"it answered {answered} times to {asked} question{'' if asked == 1 else 's'}"


def hammering(times: Sequence[int]) -> str | None:
    """Whether attempts, in milliseconds, never came in a rush."""
    for first, last in zip(times, times[_BURST - 1 :], strict=False):
        if last - first < _BURST_MS:
            return f"it tried {_BURST} times within {(last - first) / 1000:.1f} s"
    return None


def backoff(times: Sequence[int], until: int) -> str | None:
    """Whether attempts became rarer while all of them failed.

    A bot whose pauses are long from the start (4.5 s and more) needs not make them longer.

    Args:
        times: When it tried, in milliseconds.
        until: When the outage ended.
    """
    if rushed := hammering(times):
        return rushed
    if not times:
        return None
    half = (until - times[0]) / 2
    early = sum(at < times[0] + half for at in times)
    late = len(times) - early
    if not late or late * _GENTLE_MS <= half:
        return None
    if late >= _RARER * early:
        span = half / 1000
        tried = f"it tried {early} times in the first half, {late} in the second"
        return f"in {2 * span:.0f} s without the service {tried}"
    return None


def heartbeats(evidence: Evidence, since: int) -> str | None:
    """Whether the server never closed a socket of it for want of an answer."""
    closed = [
        row
        for row in evidence.rows
        if row["n"] > since
        and row["service"] == "room"
        and row["kind"] == "close"
        and row["dir"] == "out"
        and row.get("uid") == evidence.uid
    ]
    return "the server closed its socket, because it answered no heartbeat" if closed else None


def idle_requests(evidence: Evidence, since: int, seconds: float) -> str | None:
    """Whether it asks the services seldom while nothing happens."""
    asked = sum(len(evidence.requests(service, since=since)) for service in ("room", "chat", "gateway"))
    a_minute = asked * 60 / seconds
    if a_minute <= _MOST_A_MINUTE:
        return None
    return f"it made {a_minute:.0f} requests a minute while nothing happened"


def burst_of(sends: Sequence[int]) -> str | None:
    """Whether it never sent more than the room stands within a second."""
    for first, last in zip(sends, sends[_MOST_A_SECOND:], strict=False):
        if last - first < _SECOND_MS:
            within = sum(first <= at < first + _SECOND_MS for at in sends)
            return f"it sent {within} messages within a second"
    return None


def invisible(evidence: Evidence, messages: Sequence[Mapping[str, Any]]) -> str | None:
    """Whether a browser shows what it wrote."""
    for row in messages:
        if row.get("sender") != evidence.uid:
            continue
        data = row.get("data")
        metadata = data.get("metadata") if isinstance(data, dict) else None
        has_line = isinstance(metadata, dict) and isinstance(metadata.get("chatMessage"), dict)
        if not has_line and row.get("type") != "ChatMessage":
            return "its message has no metadata.chatMessage, without which the web client does not show it"
    return None


def tokens_in_urls(evidence: Evidence) -> str | None:
    """Whether it sends no token in a URL but that of the room socket, which has no other place for it."""
    for service in ("chat", "gateway"):
        for row in evidence.requests(service):
            if MASK in str(row.get("path")):
                return f"it sent its token in the URL of {row.get('method')} {row['path']}"
    return None


def growth(sizes: Sequence[int]) -> str | None:
    """Whether its memory, in bytes at even steps, does not go on growing."""
    if len(sizes) < _FEWEST_SIZES:
        return None
    third = len(sizes) // 3
    middle, end = max(sizes[third : 2 * third]), min(sizes[2 * third :])
    if end - middle < _GROWN:
        return None
    return f"its memory grew from {sizes[third] / 1e6:.0f} to {sizes[-1] / 1e6:.0f} MB, and went on growing"


def forbidden(evidence: Evidence) -> str | None:
    """Whether it wrote nothing that it must never write."""
    for line in evidence.own_lines():
        for text in evidence.never:
            if text.casefold() in line.text.casefold():
                return f"it wrote {line.text[:200]!r}, which holds {text!r}"
    return None


ALWAYS: Final[Mapping[str, Callable[[Evidence], str | None]]] = {
    "chat-out.never": forbidden,
    "join.before-actions": acts_early,
    "room-socket.one-connection": one_connection,
    "secrets.output": leaks,
    "secrets.url": tokens_in_urls,
}
"""Rules that every scenario is judged by, besides its own."""
