"""Text from outside, made safe to show: names, chat lines, the words of servers and of errors. PURE.

Characters that a terminal acts on, that begin another line, that change the reading direction or that
hide are shown escaped, as Python writes them in a string. Nothing is escaped on its way in: what is
kept, sent or written as JSON stays as it was, and each output escapes what it shows.
"""

import re
from collections.abc import Callable
from typing import Final, TextIO

__all__ = [
    "encodable",
    "is_uuid",
    "one_line",
    "printable",
    "printable_lines",
    "quote_server_text",
    "text_or_none",
    "whole",
]

# A list instead of `unicodedata`, which would have to be loaded and also calls visible letters "format"
# (U+0600, for example). A test compares the two.
_HIDDEN: Final = (
    r"\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: cursor, colours, clipboard, titles, line ends
    r"\u2028\u2029"  # line and paragraph separator
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # change the reading direction
    r"\xad\u034f\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff0-\ufffb"  # invisible
    r"\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # letters, but invisible as well
    r"\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e00ff"  # tags: a whole text can be hidden in them
    r"\ud800-\udfff"  # surrogates, which no UTF-8 stream takes
)
_JOINERS: Final = r"\u200c\u200d"
"""Join or separate the characters beside them: parts of an emoji, Persian letters. They hide elsewhere."""
_JOINED: Final = rf"[^\x00-\x7f{_JOINERS}{_HIDDEN}]"
_LOOSE: Final = rf"(?<!{_JOINED})[{_JOINERS}]|[{_JOINERS}](?!{_JOINED})"
_UNSAFE: Final = re.compile(rf"[{_HIDDEN}]|{_LOOSE}")
_UNSAFE_BUT_LINES: Final = re.compile(rf"(?!\n)[{_HIDDEN}]|{_LOOSE}")

_LONGEST_QUOTE: Final = 200

_PLAINER: Final = str.maketrans(
    {"\u2026": "...", "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-"}
)


def printable(text: str) -> str:
    r"""Return a text as one line that is safe on a terminal: ``"a\x1b[2Jb"`` becomes ``r"a\x1b[2Jb"``."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_escaped, text)


def printable_lines(text: str) -> str:
    """Return the same for a text that keeps its line ends, such as a traceback."""
    return _UNSAFE_BUT_LINES.sub(_escaped, text.replace("\r\n", "\n"))


def _escaped(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]


def one_line(text: str, most: int | None = None) -> str:
    """Fold white space, line ends included, into single blanks, and cut after ``most`` characters."""
    return " ".join(text.split())[:most]


def quote_server_text(words: str, mask: Callable[[str], str] = str) -> str:
    """Return a server's own words on one line of at most 200 characters.

    Args:
        words: What the server said.
        mask: Removes a secret that the server may echo; it runs first, because the cut could split one.
    """
    return one_line(mask(words), _LONGEST_QUOTE)


def encodable(line: str, stream: TextIO) -> str:
    """Return a line in ASCII unless its stream is UTF-8, because names come in any language."""
    if (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "").replace("_", "") == "utf8":
        return line
    return line.translate(_PLAINER).encode("ascii", "backslashreplace").decode("ascii")


def whole(text: str) -> str:
    """Read a text of the command line or the environment as UTF-8, which Python in a C locale does not do.

    Bytes that are no UTF-8 stay as they are, as surrogates.
    """
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        return text


def text_or_none(value: object) -> str | None:
    """Return a value of a JSON document that is a text and not empty, or ``None`` for any other."""
    return value if isinstance(value, str) and value else None


def is_uuid(text: str) -> bool:
    """Return whether a text is a UUID: a room's slug is none."""
    return _UUID.fullmatch(text) is not None


_UUID: Final = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
