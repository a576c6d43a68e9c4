"""What a bot did, as facts that are the same in each run alike, and two runs side by side. PURE."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Final, NamedTuple

from hangbot.delivery.record import BY_HAND
from hangbot.incident.recording import Line, Names, Recording, kind_of

__all__ = ["Fact", "Pair", "compared", "facts", "is_alike"]

_TAIL: Final = 1.5
"""Seconds before the end in which one run may be ahead of the other: differences there prove nothing."""
_TIMER: Final = re.compile(r"(app, timer (?:after|again))/.*", re.DOTALL)
"""A timer's id begins so; the name of its app follows, which a bundle hides."""
_NO_ANSWER: Final = "no answer in time"
_ASKED: Final = "asked for"
_WELL: Final = ("status 200",)


class Fact(NamedTuple):
    """One thing that a bot did, or that became of it.

    Attributes:
        t: When.
        topic: What it is about: facts of one topic are compared in their order.
        says: What it was.
    """

    t: float
    topic: str
    says: str


class Pair(NamedTuple):
    """A fact of both runs, or of one of them.

    Attributes:
        then: When it was then; ``None``: it was not.
        now: When it is now.
        topic: What it is about.
        says: What it is.
        counts: Whether it is a difference where one of them is missing.
    """

    then: float | None
    now: float | None
    topic: str
    says: str
    counts: bool = True


def facts(run: Recording, names: Names, *, continues: bool = False) -> list[Fact]:
    """Return what a bot did, in order.

    Args:
        run: The run.
        names: Its messages.
        continues: Whether it is compared with one that begins while the bot ran already: then it is not known
            when its connections were asked for.
    """
    found = [*_requests(run, names), *_messages(run, names)]
    counts: dict[str, int] = defaultdict(int)
    for line in run.lines:
        if continues and _was_given_up(line):
            continue
        counts[line.service] += 1
        said = _line(line, f"{line.service} connection {counts[line.service]}")
        first = continues and counts[line.service] == 1
        found += (fact for fact in said if not (first and fact.says == _ASKED))
    for happened in run.others:
        row = happened.row
        if row["kind"] == "health":
            found.append(Fact(happened.t, f"health of {row['part']}", "red" if row["red"] else "green"))
        elif row["kind"] == "app":
            found.append(Fact(happened.t, f"app, {row['what']}", row["outcome"]))
        elif row["kind"] == "ended":
            found.append(Fact(happened.t, "the bot", ": ".join(filter(None, ("ended", row["how"])))))
    return sorted(fact for fact in found if fact.t >= 0)


def compared(
    then: Sequence[Fact], now: Sequence[Fact], seconds: float, *, continues: bool = False
) -> list[Pair]:
    """Return the facts of two runs side by side, in the order of the first.

    Args:
        then: Those of the first.
        now: Those of the second.
        seconds: When both end.
        continues: Whether the first begins while the bot ran already. Then its timers began elsewhere: what
            was under way proves nothing, nor how often it looked while all was well or asked for a connection
            that was not to be had.
    """
    pairs: list[Pair] = []
    before, after = _by_topic(then), _by_topic([fact for fact in now if fact.t < seconds])
    for topic in dict.fromkeys((*before, *after)):
        pairs += _aligned(topic, before[topic], after[topic], seconds - _TAIL, continues=continues)
    return sorted(pairs, key=lambda pair: pair.now if pair.then is None else pair.then)  # type: ignore[arg-type, return-value]  # one of both is known


def is_alike(pairs: Sequence[Pair]) -> bool:
    """Return whether both runs are alike."""
    return not any(pair.counts and None in (pair.then, pair.now) for pair in pairs)


def _aligned(
    topic: str, then: Sequence[Fact], now: Sequence[Fact], tail: float, *, continues: bool
) -> Iterator[Pair]:
    both = SequenceMatcher(
        None, [fact.says for fact in then], [fact.says for fact in now], autojunk=False
    ).get_opcodes()
    for kind, i, i2, j, j2 in both:
        if kind == "equal":
            for one, other in zip(then[i:i2], now[j:j2], strict=True):
                yield Pair(one.t, other.t, one.topic, one.says)
            continue
        odd = (*then[i:i2], *now[j:j2])
        is_late = i2 == len(then) and j2 == len(now) and all(fact.t >= tail for fact in odd)
        is_early = continues and i == j == 0 and all(fact.t < _TAIL for fact in odd)
        idle = _WELL if " GET " in topic else (_ASKED,) if " connection " in topic else ()
        for number, fact in enumerate(odd):
            counts = not (is_late or is_early or (continues and fact.says in idle))
            was = number < i2 - i
            yield Pair(fact.t if was else None, None if was else fact.t, fact.topic, fact.says, counts)


def _by_topic(found: Sequence[Fact]) -> Mapping[str, list[Fact]]:
    topics: dict[str, list[Fact]] = defaultdict(list)
    for fact in found:
        topics[_TIMER.sub(r"\1", fact.topic)].append(fact)
    return topics


def _requests(run: Recording, names: Names) -> Iterator[Fact]:
    for exchange in run.exchanges:
        end = exchange.end.row if exchange.end else None
        says = "no answer until the end"
        if end is not None:
            says = f"status {end['status']}" if end["kind"] == "answer" else f"failed: {_cause(end['how'])}"
        yield Fact(exchange.t, kind_of(exchange.row, names), says)


def _messages(run: Recording, names: Names) -> Iterator[Fact]:
    for said in run.said:
        if said.refused:
            yield Fact(said.t, f"a message to {said.to}", f"refused: {said.refused}")
    for change in run.of_kind("operator"):
        yield Fact(change.t, _name(change.row["id"], names), BY_HAND[change.row["change"]])
    for step in run.of_kind("step"):
        row = step.row
        if row["step"] == "settled":
            tier = "" if row["tier"] is None else f", tier {row['tier']}"
            says = f"{row['state']}{tier}, {row['attempt']} attempt{'s' * (row['attempt'] != 1)}"
            yield Fact(step.t, _name(row["id"], names), says)


def _name(key: str, names: Names) -> str:
    """Return what a message or a room action is called in every run."""
    name = names.name(key)
    if name != key:
        return f"message {name}"
    action, hyphen, end = key.rpartition("-")
    return f"action {action}" if hyphen and len(end) == len("00000000") else f"message {key}"


def _line(line: Line, topic: str) -> Iterator[Fact]:
    opened = line.opened
    if line.asked is not None:
        yield Fact(line.asked, topic, _ASKED)
    if opened is not None:
        row = opened.row
        says = {
            "opened": "open",
            "refused": f"refused: status {row.get('status')}",
            "unopened": f"not made: {_cause(row.get('how', ''))}",
        }[row["kind"]]
        yield Fact(opened.t, topic, says)
    yield from _actions(line, topic)
    for event in line.events:
        if event.row["kind"] == "closed":
            code = event.row["code"]
            says = (
                f"ended by the service{f' ({code})' if code else ''}"
                if event.row["theirs"]
                else "ended by the bot"
            )
            yield Fact(event.t, topic, says)


def _was_given_up(line: Line) -> bool:
    """Return whether a connection was asked for and never answered."""
    opened = line.opened
    if opened is None:
        return line.asked is not None
    return opened.row["kind"] == "unopened" and _cause(opened.row["how"]) == _NO_ANSWER


def _actions(line: Line, topic: str) -> Iterator[Fact]:
    answers: dict[str, str] = {}
    for event in line.events:
        match event.row:
            case {"kind": "in", "json": {"context": "response", **answer}}:
                says = "refused" if answer.get("error") else "answered"
                answers.setdefault(str(answer.get("messageId")), says)
    for event in line.events:
        match event.row:
            case {"kind": "out", "json": {"event": "action", "params": {"action": str(name)}, **more}}:
                yield Fact(event.t, f"{topic}, {name}", answers.get(str(more.get("messageId")), "no answer"))


def _cause(how: str) -> str:
    """Return how something failed, in the same word for the same thing."""
    return _NO_ANSWER if how in {"TimeoutError", "CancelledError"} else how
