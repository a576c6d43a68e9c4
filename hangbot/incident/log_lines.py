"""Lines of the log without what may be about a person. PURE."""

import re
from collections.abc import Mapping
from typing import Any, Final

from hangbot.incident.disguise import Disguise

__all__ = ["disguised_line"]

_SPOKEN: Final = re.compile(r"((?:… \d+ more times in [\d.]+ s: )?\[(?:SAID|HEARD)\]) (.*)", re.DOTALL)
_LENGTH: Final = re.compile(r"(to )?(.*?)((?:, to the bot alone)?: \d+ characters)", re.DOTALL)
_FRAME: Final = re.compile(r'(\s*File ")[^"]*/(hangbot/[\w/]+\.py", line \d+, in \w+)')
_RAISED: Final = re.compile(r"(\s*(?:[a-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt))(?:: (.*))?")
_HEAD: Final = re.compile(r"\s*Traceback \(most recent call last\):")


def disguised_line(line: Mapping[str, Any], disguise: Disguise) -> dict[str, Any]:
    """Return a line of the log, ``{"logger", "text"…}``, with stand-ins.

    Hangbot's own sentences stay, and of a traceback what is hangbot's own. What was said or heard, and every
    line of others, is replaced as a whole.
    """
    name, text = str(line.get("logger", "")), str(line.get("text", ""))
    is_own = name == "hangbot" or name.startswith("hangbot.")
    first, *more = text.split("\n")
    said = _own(first, disguise) if is_own else disguise.foreign(first)
    lines = [said, *(_of_traceback(each, disguise) for each in more)]
    return {**line, "logger": name if is_own else disguise.id(name), "text": "\n".join(lines)}


def _own(text: str, disguise: Disguise) -> str:
    spoken = _SPOKEN.fullmatch(text)
    if spoken is None:
        return disguise.sentence(text)
    tag, rest = spoken.groups()
    if direct := _LENGTH.fullmatch(rest):
        to, who, length = direct.groups()
        return f"{tag} {to or ''}{disguise.text(who)}{length}"
    who, colon, words = rest.partition(": ") if tag.endswith("[HEARD]") else ("", "", rest)
    return f"{tag} {disguise.text(who) if who else ''}{colon}{disguise.text(words)}"


def _of_traceback(text: str, disguise: Disguise) -> str:
    if _HEAD.fullmatch(text):
        return text
    if frame := _FRAME.match(text):
        return frame[1] + frame[2]
    if raised := _RAISED.fullmatch(text):
        return raised[1] + (f": {disguise.text(raised[2])}" if raised[2] else "")
    return disguise.foreign(text)
