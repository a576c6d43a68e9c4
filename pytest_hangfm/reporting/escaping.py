"""What others wrote, escaped for a terminal and a report; none of it begins a line of a log. PURE."""

from __future__ import annotations

import copy
import logging
import re
from typing import Final

from hangbot.text import printable_lines

__all__ = ["escape_record", "escape_surrogates", "escape_text"]

_COLOURS: Final = re.compile(r"(\x1b\[(?:(?:0?[0-4]|3[1-79]|49|9[0-7])(?:;(?=[\d])|(?=m)))*m)")
"""The colours that pytest and Pygments use: black, reverse and concealed are none of them."""
_PLAIN: Final = logging.Formatter()


def escape_text(text: str, *, colours: bool = False) -> str:
    """Escape what a terminal would act on; lines stay lines.

    Args:
        text: What is to be shown.
        colours: Whether pytest colours this run's reports itself: then its colours stay.
    """
    if not colours or "\x1b" not in text:
        return printable_lines(text)
    parts = _COLOURS.split(text)
    return "".join(part if place % 2 else printable_lines(part) for place, part in enumerate(parts))


def escape_surrogates(text: str) -> str:
    """Escape half characters: Allure cannot write a file with one, and takes the whole run down."""
    return text.encode("utf-8", "backslashreplace").decode()


def escape_record(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy of a record with all lines but the first indented, those of its traceback too."""
    safe = copy.copy(record)
    safe.msg, safe.args = _indented(record.getMessage()), ()
    if record.exc_info and not record.exc_text:
        safe.exc_text = _PLAIN.formatException(record.exc_info)
    for name in ("exc_text", "stack_info"):
        if text := getattr(safe, name):
            setattr(safe, name, "    " + _indented(text))
    return safe


def _indented(text: str) -> str:
    return printable_lines(text).replace("\n", "\n    ")
