"""Text that somebody else wrote, made safe to show: names, chat lines, the words of servers and of errors.

What a terminal would act on, what would begin another line, and what turns the reading round or
hides is shown escaped, as Python writes it in a string. Nothing is escaped on its way in: what is
kept, sent or written as JSON stays as it was, and each output escapes what it shows. PURE.
"""

import re
from collections.abc import Callable
from typing import Final, TextIO

__all__ = ["encodable", "is_uuid", "one_line", "printable", "printable_lines", "quote_server_text", "whole"]

# Listed rather than asked of `unicodedata`, which would have to be loaded, and which says "format" of
# letters that are seen as well (U+0600, for example). A test compares the two.
_HIDDEN: Final = (
    r"\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: cursor, colours, clipboard, titles, line ends
    r"\u2028\u2029"  # line and paragraph separator
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turn the reading round
    r"\xad\u034f\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff0-\ufffb"  # are not seen at all
    r"\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # letters, and not seen either
    r"\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e00ff"  # tags: a whole text can be hidden in them
    r"\ud800-\udfff"  # half characters, which no UTF-8 stream takes
)
_JOINERS: Final = r"\u200c\u200d"
"""Join or part what stands beside them: an emoji's parts, letters of Persian. Elsewhere they only hide."""
_JOINED: Final = rf"[^\x00-\x7f{_JOINERS}{_HIDDEN}]"
_LOOSE: Final = rf"(?<!{_JOINED})[{_JOINERS}]|[{_JOINERS}](?!{_JOINED})"
_UNSAFE: Final = re.compile(rf"[{_HIDDEN}]|{_LOOSE}")
_UNSAFE_BUT_LINES: Final = re.compile(rf"(?!\n)[{_HIDDEN}]|{_LOOSE}")

_LONGEST_QUOTE: Final = 200

_PLAINER: Final = str.maketrans(
    {"\u2026": "...", "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-"}
)


def printable(text: str) -> str:
    r"""Return a text as one line that a terminal can be given: ``"a\x1b[2Jb"`` becomes ``r"a\x1b[2Jb"``."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_escaped, text)


def printable_lines(text: str) -> str:
    """Return the same for a text whose line ends are meant as such, like a traceback."""
    return _UNSAFE_BUT_LINES.sub(_escaped, text.replace("\r\n", "\n"))


def _escaped(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]


def one_line(text: str, most: int | None = None) -> str:
    """Fold white space, line ends included, into single blanks, and cut at so many characters."""
    return " ".join(text.split())[:most]


def quote_server_text(words: str, mask: Callable[[str], str] = str) -> str:
    """Show a server's own words: on one line, and at most 200 characters.

    Args:
        words: What the server said.
        mask: Takes out a secret that it may echo; before the cut, which could split one.
    """
    return one_line(mask(words), _LONGEST_QUOTE)


def encodable(line: str, stream: TextIO) -> str:
    """Write in ASCII what a stream that is not UTF-8 could not show: names come in any language."""
    if (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "").replace("_", "") == "utf8":
        return line
    return line.translate(_PLAINER).encode("ascii", "backslashreplace").decode("ascii")


def whole(text: str) -> str:
    """Read a text of the command line or the environment as UTF-8, which Python in a C locale does not do.

    What is no UTF-8 stays as it is, with half characters for its bytes.
    """
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        return text


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID; tells a room's uuid from its slug."""
    return _UUID.fullmatch(text) is not None


_UUID: Final = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
