"""A journal read back: what was asked and answered, the connections, what the bot was to do. PURE."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, unquote

__all__ = ["Exchange", "Happened", "Line", "Names", "Recording", "Said", "kind_of", "read_recording"]

_OWN: Final = "hangbot:uptime"
"""What answers by itself, whatever the app does."""


class Happened(NamedTuple):
    """A row: when it was, in seconds, and what it says."""

    t: float
    row: Mapping[str, Any]


@dataclass(slots=True)
class Exchange:
    """A request, and how it ended.

    Attributes:
        t: When it was made.
        row: The request.
        end: The answer or failure; ``None``: none was recorded.
    """

    t: float
    row: Mapping[str, Any]
    end: Happened | None = None


@dataclass(slots=True)
class Line:
    """A connection.

    Attributes:
        number: Its number.
        service: ``room`` or ``chat``.
        asked: When it was asked for; ``None``: before the recording began.
        opened: How that went.
        events: What came, was sent, and how it ended, in order.
    """

    number: int
    service: str
    asked: float | None = None
    opened: Happened | None = None
    events: list[Happened] = field(default_factory=list)


class Said(NamedTuple):
    """A message that the bot was to send; ``own``: it does so by itself."""

    t: float
    key: str
    to: str
    direct: bool
    text: str
    refused: str
    own: bool = False


@dataclass(slots=True)
class Recording:
    """What happened.

    Attributes:
        kept: The first row: how things stood before.
        before: Answers of before to what a start asks.
        exchanges: In the order of the requests.
        lines: The connections in their order.
        said: What the bot was to send.
        answers: Which line each answer answers, by the answer's id.
        others: All other rows.
    """

    kept: Mapping[str, Any]
    before: list[Exchange] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    others: list[Happened] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return float(self.kept["seconds"])

    @property
    def continues(self) -> bool:
        """Whether it begins while the bot runs already."""
        return not any(happened.row["kind"] == "began" for happened in self.others)

    def to_say(self) -> Iterator[tuple[float, Said]]:
        """Yield when a replay is to say what was said.

        Where the recording begins while the bot runs, more may wait than it shows: then a message is said
        when it was first on its way, and one that never was is not.
        """
        if not self.continues:
            yield from ((said.t, said) for said in self.said)
            return
        sent: dict[str, float] = {}
        for exchange in self.exchanges:
            body = exchange.row.get("json")
            muid = body.get("muid") if isinstance(body, dict) else None
            if isinstance(muid, str):
                sent.setdefault(muid.partition(".")[0], exchange.t)
        for said in self.said:
            if said.refused or said.key in sent:
                yield (said.t if said.refused else sent[said.key]), said

    def of_kind(self, kind: str) -> list[Happened]:
        """Return the other rows of a kind."""
        return [happened for happened in self.others if happened.row["kind"] == kind]


def read_recording(rows: Sequence[Mapping[str, Any]], *, shift: float = 0.0) -> Recording:
    """Read the rows of a journal.

    Args:
        rows: As `hangbot.journal.rows` makes them, the first one included.
        shift: Added to every time.
    """
    made = Recording(rows[0])
    asked: dict[int, Exchange] = {}
    lines: dict[int, Line] = {}
    own: set[str] = set()
    for row in rows[1:]:
        t, kind = float(row["t"]) + shift, row["kind"]
        if kind == "request":
            exchange = asked[row["n"]] = Exchange(t, row)
            (made.before if row.get("before") else made.exchanges).append(exchange)
        elif kind in {"answer", "failed"}:
            if exchange_ := asked.get(row["n"]):
                exchange_.end = Happened(t, row)
        elif "conn" in row:
            _add_to_line(made, lines, Happened(t, row))
        elif kind == "answering":
            made.answers[row["id"]] = row["message"]
            own |= {row["id"]} if row["app"] == _OWN else set()
        elif kind == "said":
            key, is_own = row["id"], row["id"] in own
            made.said.append(
                Said(t, key, row["to"], bool(row["direct"]), row["text"], row["refused"], is_own)
            )
        else:
            made.others.append(Happened(t, row))
    return made


def _add_to_line(made: Recording, lines: dict[int, Line], happened: Happened) -> None:
    row = happened.row
    number, kind = row["conn"], row["kind"]
    if number not in lines:
        service = row.get("service") or _guessed(row)
        lines[number] = Line(number, service, happened.t if kind == "open" else None)
        made.lines.append(lines[number])
        if kind == "open":
            return
    if kind in {"opened", "refused", "unopened"}:
        lines[number].opened = happened
    else:
        lines[number].events.append(happened)


def _guessed(row: Mapping[str, Any]) -> str:
    """Return the service of a connection that was open before the recording began."""
    frame = row.get("json")
    is_chat = isinstance(frame, dict) and (
        "action" in frame or "receiverType" in frame or "deviceId" in frame
    )
    return "chat" if is_chat else "room"


class Names:
    """Messages by their number: the id of one is another in each run of the bot.

    Args:
        said: What it was to send, in order; it may grow.
        answers: Which line each answer answers, by the answer's id; it may grow.
        known: What messages of another run are called, which may be sent again under their ids.
    """

    def __init__(
        self, said: Iterable[Said], answers: Mapping[str, int], known: "Names | None" = None
    ) -> None:
        self._answers = answers
        self._known = known
        self._numbers: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._counts: dict[tuple[str, str, bool], int] = defaultdict(int)
        for each in said:
            self.add(each.key, each.to, direct=each.direct, refused=each.refused)

    def add(self, key: str, to: str, *, direct: bool, refused: str = "") -> None:
        """Take the next message."""
        if key in self._numbers or refused:
            return
        name = self._known.name(key) if self._known else key
        if name == key:
            about = f"a{self._answers[key]}" if key in self._answers else ""
            self._counts[about, to, direct] += 1
            name = f"#{about}.{self._counts[about, to, direct]}{' direct' if direct else ''} to {to}"
        self._numbers[key] = name
        self._keys[name] = key

    def name(self, key: str) -> str:
        """Return what a message is called in every run; its id where it is not known."""
        if key in self._numbers:
            return self._numbers[key]
        whole, dot, part = key.rpartition(".")
        if dot and part.isdecimal() and whole in self._numbers:
            return f"{self._numbers[whole]}.{part}"
        return key

    def key(self, name: str) -> str | None:
        """Return the id that a message has here."""
        if name in self._keys:
            return self._keys[name]
        whole, dot, part = name.rpartition(".")
        return f"{self._keys[whole]}{dot}{part}" if whole in self._keys else None


def kind_of(row: Mapping[str, Any], names: Names) -> str:
    """Return what a request is about, in words that are the same in every run.

    Of a page of the history, whether it goes forward or back counts, not from where.
    """
    path, _, query = str(row["target"]).partition("?")
    affix = parse_qs(query).get("affix", [""])[0]
    body = row.get("json")
    muid = body.get("muid") if isinstance(body, dict) else None
    if isinstance(muid, str):
        path += f" {names.name(muid)}"
    elif path.startswith("/v3.0/user/messages/"):
        path = f"/v3.0/user/messages/{names.name(unquote(path.rpartition('/')[2]))}"
    return f"{row['service']} {row['method']} {path}{f' {affix}' if affix else ''}"
