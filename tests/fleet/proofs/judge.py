"""Whether a fleet did what it promises: who acted when, and what arrived. PURE."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from time import localtime, strftime
from typing import Any, Final

from tests.fleet.proofs.acts import Act
from tests.fleet.proofs.disturbances import Loss
from tests.fleet.proofs.ownership import Owned

__all__ = ["arrivals", "timeline", "trespasses"]

_Text = tuple[Mapping[str, Any], str, int]
"""A message, and what it says: a word and a number."""
_AROUND: Final = 30.0
"""Seconds of a timeline before and after a moment."""


def trespasses(
    acts: Iterable[Act], owned: Sequence[Owned], earliest: Callable[[float], float] = lambda at: at
) -> Iterator[Act]:
    """Yield the acts on a room of workers that did not own it then: before they did, or after another did.

    Args:
        acts: On the room.
        owned: The ownerships of it.
        earliest: Tells of the time at which an act was heard when it may have left the worker.
    """
    starts = sorted(owned, key=lambda each: each.since)
    for act in acts:
        left = earliest(act.at)
        before = [each.worker for each in starts if each.since <= left][-1:]
        meanwhile = [each.worker for each in starts if left < each.since <= act.at]
        if act.worker not in before + meanwhile:
            yield act


def arrivals(
    accepted: Sequence[Mapping[str, Any]],
    asked: Mapping[str, Sequence[int]],
    messages: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    """Yield what is wrong with what arrived: lost, doubled, out of order, answered twice or never.

    Args:
        accepted: What the load said of each message.
        asked: The numbers of the questions, by the rooms' uuids.
        messages: What the chat has, oldest first.
    """
    keys = Counter(row.get("muid") for row in messages)
    for message in accepted:
        if (times := keys[message["id"]]) != 1:
            yield f"{message['id']} (accepted at {message['at']:.2f}) arrived {times} times"
    texts = [*_texts(messages)]
    yield from _disorder(texts)
    answers = Counter((row["receiver"], number) for row, word, number in texts if word == "answers")
    questions = {(room, number) for room, numbers in asked.items() for number in numbers}
    for room, number in sorted(questions | set(answers)):
        wanted = int((room, number) in questions)
        if (times := answers[room, number]) != wanted:
            yield f"question {number} in {room} was asked {wanted} times, and answered {times} times"


def _texts(messages: Iterable[Mapping[str, Any]]) -> Iterator[_Text]:
    """Yield what the bots said."""
    for row in messages:
        word, _, number = str(row["data"].get("text", "")).partition(" ")
        if word in {"load", "answers"}:
            yield row, word, int(number)


def _disorder(texts: Iterable[_Text]) -> Iterator[str]:
    arrived: dict[str, list[int]] = {}
    for row, word, number in texts:
        if word == "load":
            arrived.setdefault(f"{row['sender']} to {row['receiver']}", []).append(number)
    for pair, numbers in arrived.items():
        if wrong := [(one, other) for one, other in pairwise(numbers) if one > other]:
            yield f"from {pair} the order is wrong: {wrong[:5]}"


def timeline(
    at: float, room: str, owned: Sequence[Owned], acts: Sequence[Act], losses: Sequence[Loss]
) -> str:
    """Return what happened to a room around a moment, a line each."""
    lines = [(act.at, f"{act.worker}: {act.what}") for act in acts]
    lines += [(each.since, f"{each.worker} begins to take it ({each.id})") for each in owned]
    lines += [(each.seen, f"{each.worker} is seen to own it ({each.id})") for each in owned]
    lines += [
        (each.renewed, f"{each.worker} is seen to have stored its lease for the last time") for each in owned
    ]
    lines += [(each.free, f"{each.worker} is seen to own it no more") for each in owned if each.free]
    lines += [(each.at, f"-- {each.what}") for each in losses]
    lines += [(each.until, f"-- over: {each.what}") for each in losses]
    near = sorted(line for line in lines if abs(line[0] - at) < _AROUND)
    clock = strftime("%H:%M:%S", localtime(at))
    return "\n".join([f"{room} at {clock}", *(f"  {when - at:+8.3f}  {what}" for when, what in near)])
