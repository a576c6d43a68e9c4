"""Where a text that is too long for one message is cut, so that every part can be read by itself. PURE.

At a line end; without one at a blank; without one between graphemes, what a reader takes for one
character (UAX #29): a flag, a family, a letter with its accents. Never in a mention, nor in a code
block that fits a message as a whole.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Final, NamedTuple

__all__ = ["Span", "cut", "unbroken"]

_SPACE: Final = r"\t\x1f\x20\u1680\u2000-\u2006\u2008-\u200a\u205f\u3000"
"""Blanks at which a line may be broken: not U+00A0, U+2007 and U+202F, which say that it may not."""
_LINE_END: Final = r"\n\x0b\x0c\r\x1c-\x1e\x85\u2028\u2029"
_GAP: Final = re.compile(f"[{_SPACE}{_LINE_END}]+")
_LINE_GAP: Final = re.compile(f"(?<![{_SPACE}{_LINE_END}])[{_SPACE}]*+[{_LINE_END}]")
"""The beginning of white space that holds a line end."""
_THROUGH_LINE_END: Final = re.compile(f"[{_SPACE}{_LINE_END}]*[{_LINE_END}]")
_MENTION: Final = re.compile(r"<(?:@uid|consumableId):[^<>\s]{1,200}>")
"""How the web client writes a mention, and a gift, into a text (seen in public bots)."""
_PLAIN: Final = re.compile(r"\r\n|[\s\S]")
_CODE: Final = re.compile(r"```[\s\S]*?(?:```|\Z)")


class Span(NamedTuple):
    """A piece of a text, by its places in it."""

    start: int
    end: int


def unbroken(text: str, mentions: Iterable[Mapping[str, object]], longest: int) -> list[Span]:
    """Return what is not to be cut: mentions, and code blocks that fit a message.

    Each begins and ends with a grapheme; a mention that does not fit a message so stands as it is.
    """
    named = [Span(*found.span()) for found in _MENTION.finditer(text)]
    for mention in mentions:
        start, name = mention.get("start"), mention.get("userNickname")
        if isinstance(start, int) and isinstance(name, str) and name and start >= 0:
            shown = next((shown for shown in (f"@{name}", name) if text.startswith(shown, start)), "")
            if shown:
                named.append(Span(start, start + len(shown)))
    blocks = _with_graphemes(text, [Span(*found.span()) for found in _CODE.finditer(text)])
    spans = [*blocks, *_with_graphemes(text, named), *named]
    return [span for span in spans if span.end - span.start <= longest]


def _with_graphemes(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return spans that begin and end with the graphemes which they begin and end in."""
    if not spans or text.isascii():
        return [*spans]
    ends = [0, *_graphemes(text, 0)]
    return [
        Span(ends[bisect_right(ends, span.start) - 1], ends[bisect_left(ends, span.end)]) for span in spans
    ]


def cut(text: str, whole: Sequence[Span], longest: int, most: int) -> list[Span]:
    """Cut a text into pieces of so many characters; only the white space between them is left out.

    Where a cut at every line end would make too many pieces, the last blank is taken, then the
    last grapheme.

    Args:
        text: The text.
        whole: What is not to be cut, as `unbroken` returns it.
        longest: Characters (code points) in a piece.
        most: Pieces that there may be.

    Returns:
        The pieces in order, none of them blank; more than ``most`` where it cannot be done.
    """
    pieces: list[Span] = []
    for choose in (_at_line_end, _at_gap, _at_grapheme):
        pieces = list(_pieces(text, whole, longest, most, choose))
        if len(pieces) <= most:
            break
    return pieces


_Choose = Callable[[str, Span, Sequence[Span]], Span]
"""From a text, a window in it and what is not to be cut, to what is left out at the cut (white space)."""


def _pieces(text: str, whole: Sequence[Span], longest: int, most: int, choose: _Choose) -> Iterator[Span]:
    """Cut from the left, and stop where there are too many."""
    start, made = 0, 0
    while start < len(text) and made <= most:
        blank = _GAP.match(text, start)
        if blank and blank.end() - start >= longest:
            start = blank.end()
            continue
        window = Span(start, start + longest)
        left_out = choose(text, window, whole) if window.end < len(text) else Span(len(text), len(text))
        piece = Span(start, left_out.start)
        if text[piece.start : piece.end].strip():
            made += 1
            yield piece
        start = left_out.end


def _at_line_end(text: str, window: Span, whole: Sequence[Span]) -> Span:
    return next(_gaps(_LINE_GAP, text, window, whole), None) or _at_gap(text, window, whole)


def _at_gap(text: str, window: Span, whole: Sequence[Span]) -> Span:
    return next(_gaps(_GAP, text, window, whole), None) or _at_grapheme(text, window, whole)


def _at_grapheme(text: str, window: Span, whole: Sequence[Span]) -> Span:
    # Last any place: a character of a thousand accents is cut all the same, it fits no message.
    places = [*reversed(_grapheme_ends(text, window)), *range(window.end, window.start, -1)]
    end = next((place for place in places if not _within(place, whole)), window.end)
    return Span(end, end)


def _gaps(kind: re.Pattern[str], text: str, window: Span, whole: Sequence[Span]) -> Iterator[Span]:
    """Return the white space of a kind at which a window may be cut, the last first.

    Of white space with line ends only what stands up to the last of them: the next line keeps its indent.
    """
    for found in reversed(list(kind.finditer(text, window.start, window.end + 1))):
        start = found.start()
        # Some signs stand before what they belong to, even before a blank; two characters are enough to know.
        if start == window.start or _within(start, whole) or next(_graphemes(text, start - 1)) > start:
            continue
        gap = _THROUGH_LINE_END.match(text, start) or _GAP.match(text, start)
        end = gap.end() if gap else start
        if next(_graphemes(text, end - 1)) > end:
            end -= 1  # a blank with an accent is a character, not white space
        if end > start:
            yield Span(start, end)


def _within(place: int, whole: Sequence[Span]) -> bool:
    return any(span.start < place < span.end for span in whole)


def _grapheme_ends(text: str, window: Span) -> list[int]:
    """Return where graphemes end in a window that begins with one."""
    return list(takewhile(lambda end: end <= window.end, _graphemes(text, window.start)))


def _graphemes(text: str, start: int) -> Iterator[int]:
    """Return where each grapheme ends, from a place on."""
    if text.isascii():
        return (found.end() for found in _PLAIN.finditer(text, start))
    import regex  # noqa: PLC0415  15 ms, and few texts are that long and more than plain letters

    return (found.end() for found in regex.finditer(r"\X", text, pos=start))
