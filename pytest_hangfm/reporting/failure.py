"""What a failed test's page says first: its error once, and the picture of its deliveries. PURE.

Allure shows a test's description open, between the error and the fixtures; attachments it keeps
folded, far below. So the picture of a failed delivery goes into the description.
"""

from __future__ import annotations

import base64
import html
import re
from typing import TYPE_CHECKING, Final

from hangbot.text import printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["as_html", "headline", "picture", "said_once"]

_STEP: Final = re.compile(r"\s+\+\d+\.\d{3} s  ")
"""How a line of a delivery begins where `pytest_hangfm.recorder` lists one."""
_SAID: Final = re.compile(r"E(?:\s|$)")
"""How a line of pytest's traceback begins that holds the exception."""
_SIZE: Final = re.compile(r'<svg [^>]*?\bwidth="(\d+)" height="(\d+)"')
_PAGE: Final = 800
"""Pixels: how wide a description is in a window of 1280."""
_BOLD: Final = re.compile(r"[*]{2}(.+?)[*]{2}")
_LARGEST: Final = 1.25


def headline(message: str) -> str:
    """Return an error's words without the list of its deliveries' steps, which the picture shows."""
    lines = message.splitlines()
    kept = [line for line in lines if not _STEP.match(line)]
    return "\n".join(kept).rstrip() or message


def said_once(message: str, trace: str) -> str:
    """Return a traceback without what the error's own words say already.

    Args:
        message: The error, as ``Type: words``.
        trace: pytest's representation: the source, the exception on lines that begin with ``E``, the place.
    """
    said = {line.strip() for line in message.splitlines()}
    kept = [line for line in trace.splitlines() if not (_SAID.match(line) and _is_said(line[1:], said))]
    return "\n".join(kept)


def _is_said(line: str, said: set[str]) -> bool:
    words = line.strip()
    return words in said or any(known.endswith(f": {words}") for known in said)


def picture(svg: str) -> str:
    """Return an SVG document as an image on a page: as large as fits, never smaller than drawn.

    What is wider than the page is scrolled to.
    """
    found = _SIZE.search(svg)
    width, height = (int(found[1]), int(found[2])) if found else (_PAGE, 0)
    scale = min(_LARGEST, max(1.0, _PAGE / width))
    size = f'width="{width * scale:.0f}"' + (f' height="{height * scale:.0f}"' if height else "")
    data = base64.b64encode(svg.encode()).decode("ascii")
    return (
        '<div style="overflow-x:auto">'
        f'<img alt="what became of each message" {size} style="max-width:none" '
        f'src="data:image/svg+xml;base64,{data}"></div>'
    )


def as_html(paragraphs: Iterable[str]) -> str:
    """Return a description's paragraphs for a page; ``**bold**`` is all the Markdown they know."""
    return "".join(
        f'<p style="white-space:pre-line">{_bold(each)}</p>' for each in paragraphs if each.strip()
    )


def _bold(text: str) -> str:
    return _BOLD.sub(r"<b>\1</b>", html.escape(printable_lines(text)))
