"""Lines of Prometheus' text format, version 0.0.4. PURE.

The library takes 5 µs a line, and 200 rooms have some 20,000 lines. Most of a line, its name and its labels,
never changes, and is kept here.
"""

from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Final, TypeAlias

from hangbot.figures import Counter, Figure, Histogram, Moment

__all__ = ["KINDS", "Labels", "Lines", "Values", "escaped", "head"]

Labels: TypeAlias = tuple[str, ...]
Values: TypeAlias = Mapping[Labels, float]

KINDS: Final = {Counter: "counter", Moment: "gauge", Histogram: "histogram"}


class Lines:
    """The lines of one figure of one bot, or one worker; all of them are kept where no number changed.

    Args:
        name: The figure.
        labels: The names of its labels, but for those of whose it is.
        whose: The labels of whose it is, with their values; there is one at least.
    """

    def __init__(self, name: str, labels: Labels, whose: Mapping[str, str]) -> None:
        self._name = name
        self._labels = labels
        self._whose = ",".join(f'{label}="{escaped(value)}"' for label, value in whose.items())
        self._known = _Known(lambda labels: f"{name}{{{self._with(labels)}}} ")
        self._limits: Labels = ()
        self._buckets = _Known(self._begun)
        self._shown: Values = {}
        self._text = b""
        self._observed: dict[Labels, int] = {}
        self._histograms: dict[Labels, bytes] = {}

    def of(self, figure: Figure) -> Callable[[float], bytes]:
        """Return what returns the lines of a figure at a time (monotonic seconds)."""
        match figure:
            case Counter():
                return lambda _: self.numbers(figure.values())
            case Moment():
                return lambda now: self.numbers(figure.ages(now))
            case Histogram():
                self._limits = figure.limits
                return lambda _: self._histogram(figure)

    def numbers(self, values: Values) -> bytes:
        """Return a line for each number."""
        if values != self._shown:
            known = self._known
            self._shown = dict(values)
            self._text = "".join([f"{known[labels]}{value}\n" for labels, value in values.items()]).encode()
        return self._text

    def _histogram(self, figure: Histogram) -> bytes:
        """Return the lines of each; one that has observed nothing since shows what it showed."""
        for labels, counts, total in figure.values():
            if (count := sum(counts)) != self._observed.get(labels):
                self._observed[labels] = count
                lines = self._buckets[labels] % (*accumulate(counts), count, total)
                self._histograms[labels] = lines.encode()
        return b"".join(self._histograms.values())

    def _begun(self, labels: Labels) -> str:
        """Return the lines of a histogram, with a place for each number."""
        label = self._with(labels)
        names = (f'{self._name}_bucket{{{label},le="{limit}"}}' for limit in self._limits)
        lines = (*names, f"{self._name}_count{{{label}}}", f"{self._name}_sum{{{label}}}")
        return "".join(f"{line.replace('%', '%%')} %s\n" for line in lines)

    def _with(self, labels: Labels) -> str:
        named = (f'{name}="{escaped(value)}"' for name, value in zip(self._labels, labels, strict=True))
        return ",".join((self._whose, *named))


class _Known(dict[Labels, str]):
    """The beginnings of lines, by labels; one that is missing is made."""

    def __init__(self, make: Callable[[Labels], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, labels: Labels) -> str:
        line = self[labels] = self._make(labels)
        return line


def head(name: str, kind: str, about: str) -> bytes:
    """Return the lines above a figure: what it is."""
    return f"# HELP {name} {about}\n# TYPE {name} {kind}\n".encode()


def escaped(value: str) -> str:
    """Return a label's value as it stands between quotes."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
