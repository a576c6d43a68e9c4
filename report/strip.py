"""Takes out of a generated report what it would load from elsewhere. PURE.

Allure 3.18 writes Google's tag manager into every page, and for its newer reports has no option
against it. The page works without.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["NotClean", "strip_analytics"]

_SCRIPT: Final = re.compile(r"<script\b[^>]*>.*?</script>", re.DOTALL | re.IGNORECASE)
_OPENING: Final = re.compile(r"<script\b([^>]*)>", re.IGNORECASE)
_LOADED: Final = re.compile(r"""\bsrc\s*=\s*["']?(?:https?:)?//""", re.IGNORECASE)
_TRACKERS: Final = ("window.dataLayer = window.dataLayer", "googletagmanager.com/gtag")
_LONGEST_SNIPPET: Final = 2_000
"""Characters: the report's own program may well mention a tracker, but it is far longer."""


class NotClean(ValueError):
    """A page still loads something from elsewhere."""


def strip_analytics(html: str) -> str:
    """Return the page without its analytics scripts.

    Raises:
        NotClean: A script is still loaded from another host: the generator has changed.
    """
    clean = _SCRIPT.sub(_kept, html)
    for match in _OPENING.finditer(clean):
        if _LOADED.search(match[1]):
            raise NotClean(f"the page still loads {match[0]}")
    return clean


def _kept(match: re.Match[str]) -> str:
    script = match[0]
    opening = script[: script.index(">")]
    tracks = len(script) < _LONGEST_SNIPPET and any(sign in script for sign in _TRACKERS)
    return "" if tracks or "googletagmanager.com" in opening else script
