"""What answers have in common, which commands a bot's own lines name, and why it ended: pure."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["common_answer", "part_of", "telling_line", "words_of"]

_WORD: Final = re.compile(r"(?<![\w/])([/!.?-][a-z0-9][a-z0-9_-]{1,20})\b", re.IGNORECASE)
_NEVER: Final = re.compile(
    r"kick|ban|stop|quit|exit|restart|reboot|shutdown|leave|skip|mute|delete|clear|reset|kill|off"
)
_CHANGES: Final = re.compile(r"8ball|roll|dice|flip|coin|rand|joke|quote|fact|time|up|date|now|song|dj|stat")
_ERROR: Final = re.compile(r"(?:Uncaught )?(?:[A-Za-z_]\w*\.)*\w*(?:Error|Exception)\b.*:")
_RUNTIME: Final = ("Node.js v", "Bun v")
"""How these begin the last line of what they print of an error that nothing handles."""
_TRACE: Final = 60
_MOST_WORDS: Final = 12
_SHORTEST_PART: Final = 4


def common_answer(*samples: Sequence[str]) -> str:
    """Return the line that stands once in each of several answers, without what may grow; or an empty text.

    Args:
        samples: The lines of each answer, as `alike` makes them. PURE.
    """
    for line in samples[0]:
        if all(lines.count(line) == 1 for lines in samples):
            return _steady(line)
    return ""


def part_of(texts: Sequence[str]) -> str:
    """Return the longest part that texts have in common; empty where it says too little.

    PURE.
    """
    part = texts[0] if texts else ""
    for text in texts[1:]:
        match = SequenceMatcher(None, part, text, autojunk=False).find_longest_match()
        part = part[match.a : match.a + match.size]
    part = max((piece.strip() for piece in part.split("#")), key=len)
    return part if sum(letter.isalpha() for letter in part) >= _SHORTEST_PART else ""


def _steady(answer: str) -> str:
    """Return the longest part of an answer without a number: "3 s" may be "1 min 3 s" the next time."""
    longest = max((part.strip() for part in answer.split("#")), key=len)
    return longest if len(longest) >= _SHORTEST_PART else answer


def words_of(lines: Sequence[str]) -> list[str]:
    """Return the commands that a bot's own lines name, without those that may do harm.

    They are in their order, those whose answers may change from one time to the next at the end.
    """
    found = dict.fromkeys(word.lower() for line in lines for word in _WORD.findall(line))
    harmless = [word for word in found if not _NEVER.search(word)]
    return sorted(harmless, key=lambda word: bool(_CHANGES.search(word)))[:_MOST_WORDS]


def telling_line(lines: Sequence[str]) -> str:
    """Return the last line of an output; where a runtime ends it with its name, the error before that.

    PURE.

    Args:
        lines: At least one.
    """
    latest = [line for line in lines[-_TRACE:] if line.strip()]
    if latest and latest[-1].startswith(_RUNTIME):
        return next((line for line in reversed(latest) if _ERROR.match(line)), latest[-1])
    return latest[-1] if latest else lines[-1]
