"""The page at the control address: the room as a user sees it, and all the controls."""

import json
from functools import cache
from importlib.resources import files
from string import Template
from typing import Final

from hangbot.sandbox.faults import KINDS, POINTS
from hangbot.web.http import Response

__all__ = ["page"]

_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
}
"""The page loads nothing from elsewhere, and shows what others say as text only."""


@cache
def page() -> Response:
    """Return the page, which is read from disk on first use."""
    template = Template((files("hangbot.sandbox") / "page.html").read_text(encoding="utf-8"))
    choices = json.dumps({"on": sorted(POINTS), "do": sorted(KINDS)})
    return Response(200, template.substitute(choices=choices).encode(), _HEADERS)
