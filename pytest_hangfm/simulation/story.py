"""A history of a simulated world as a conversation that people read: who said what, what went wrong. PURE."""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hangbot.redact import Redactor
from hangbot.text import one_line, printable
from pytest_hangfm.simulation.checker import Violation
from pytest_hangfm.simulation.history import History
from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.story_lines import Line, in_short, lines_of

__all__ = ["plain", "tell"]

WIDTH: Final = 100
"""Columns of a line."""
MOST: Final = 150
"""Lines of a story: of a longer one, those are left out that matter least."""

_WHO: Final = 10
_INDENT: Final = len("X 000:00  ") + _WHO + 2
"""Columns before the text: the mark, the time and who it is."""
_AROUND: Final = 6
"""Lines before and after a violation that matter as much as it does."""
_LOOK_BACK: Final = 4
"""Lines among which one that repeats is looked for: what is tried in vain is tried at several services."""
_KEY: Final = "! a fault   * the bot's process, health and connections   X a rule that is broken"


@dataclass(slots=True)
class _Shown:
    line: Line
    until: float
    times: int = 1


def plain(history: History) -> Callable[[str], str]:
    """Return what makes a text of a history a line to show: no secrets, names in the place of uids."""
    mask, shortened = Redactor(history.secrets).text, in_short(history)
    return lambda text: printable(one_line(shortened(mask(text))))


def tell(
    history: History,
    violations: Sequence[Violation] = (),
    plan: Plan | None = None,
    *,
    width: int = WIDTH,
    most: int = MOST,
) -> str:
    """Return what happened as lines of text, without secrets; times are minutes and seconds.

    Args:
        history: What happened.
        violations: What the checker found; each stands at its time.
        plan: What was to be; it stands at the top.
        width: Columns of a line; a longer one is cut, a violation goes on in the next line.
        most: How many lines are shown: first those near violations, then faults, then the bot's own.
    """
    mask = Redactor(history.secrets).text
    shown_as = plain(history)
    found = [Line(each.at, "X", shown_as(each.rule), shown_as(each.what)) for each in violations]
    merged = sorted([*lines_of(history, mask), *found], key=lambda line: line.at)  # stable: violations last
    shown = _folded(merged)
    lines = [*_described(plan), _KEY] if plan else [_KEY]
    return "\n".join([*(_cut(mask(line), width) for line in lines), *_laid_out(shown, width, most)])


def _described(plan: Plan) -> Iterator[str]:
    users = f"{plan.users} other user{'' if plan.users == 1 else 's'}"
    yield f"seed {plan.seed}: {users} for {_clock(plan.seconds)}, something every {plan.pace:g} s"
    yield from (f"  with {name}={text}" for name, text in sorted(plan.env.items()))
    yield from (f"  fault {number}: {_of(fault)}" for number, fault in enumerate(plan.faults, 1))


def _of(fault: Fault) -> str:
    args = "".join(f", {name}={value!r}" for name, value in sorted(fault.args.items()))
    lasts = f" for {fault.lasts:g} s" if fault.lasts else ""
    return f"{fault.kind} at {_clock(fault.at)}{lasts}{args}"


def _folded(lines: Sequence[Line]) -> list[_Shown]:
    """Make one of lines that say the same soon after another."""
    shown: list[_Shown] = []
    for line in lines:
        recent = () if line.mark == "X" else shown[-_LOOK_BACK:]
        known = next((each for each in recent if replace(each.line, at=line.at) == line), None)
        if known:
            known.until, known.times = line.at, known.times + 1
        else:
            shown.append(_Shown(line, line.at))
    return shown


def _laid_out(shown: Sequence[_Shown], width: int, most: int) -> Iterator[str]:
    """Yield the lines that matter, and for each run of others how many there are."""
    kept, left_out = _most_important(shown, most), 0
    for place, each in enumerate(shown):
        if place in kept:
            yield from _gap(left_out)
            yield from _text(each, width)
            left_out = 0
        else:
            left_out += 1
    yield from _gap(left_out)


def _most_important(shown: Sequence[_Shown], most: int) -> set[int]:
    """Return the places of the lines to show."""
    broken = [place for place, each in enumerate(shown) if each.line.mark == "X"]
    by_mark = {"X": 0, "!": 2, "*": 3, "": 4}

    def rank(place: int) -> tuple[int, int]:
        away = min((abs(place - other) for other in broken), default=place)
        mark = by_mark[shown[place].line.mark]
        return (min(mark, 1) if broken and away <= _AROUND else mark), away

    return set(sorted(range(len(shown)), key=rank)[:most])


def _gap(lines: int) -> Iterator[str]:
    if lines:
        yield f"{'':{_INDENT}}… {lines} more line{'' if lines == 1 else 's'} …"


def _text(shown: _Shown, width: int) -> Iterator[str]:
    line = shown.line
    head = f"{line.mark:1} {_clock(line.at):>6}  "
    text = printable(one_line(line.text))
    if line.mark == "X":
        first, *more = textwrap.wrap(f"{printable(line.who)}: {text}", max(width - len(head), _WHO))
        yield head + first
        yield from (f"{'':{len(head)}}{each}" for each in more)
        return
    head += f"{_cut(printable(line.who), _WHO):{_WHO}}  "
    again = f"  (x {shown.times}, until {_clock(shown.until)})" if shown.times > 1 else ""
    yield _cut(head + text, width - len(again)) + again


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02}:{rest:02}"
