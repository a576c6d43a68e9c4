"""Puts the verdict beside a report's percentage, and away what is empty in it. PURE.

Allure 3.18 has no option for either. Its `data-testid` attributes are what its own tests hold on to, so
they are steadier than class names; where one is gone, the page shows what Allure shows.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Final

__all__ = ["dress"]

_UNUSED: Final = """
[data-testid="test-result-tab-retries"],[data-testid="test-result-tab-environments"]{display:none}
"""
"""Tabs of a test: none of ours is run again within a run, and each stands in one environment."""
_NO_GLOBALS: Final = """
[data-testid="nav-tab-globalAttachments"],[data-testid="nav-tab-globalErrors"]{display:none}
"""
_NOT_READY: Final = """
div:has(> [data-testid="report-header"]) + div{position:relative}
div:has(> [data-testid="report-header"]) + div::after{content:"WORD";position:absolute;top:100%;right:0;
white-space:nowrap;font:600 13px ui-sans-serif,system-ui,sans-serif}
div:has(> [data-testid="report-header"] [data-testid="test-result-status-passed"]) + div,
[data-testid="report-header"] [data-testid="test-result-status-passed"]{filter:grayscale(1)}
"""
"""The ring of the percentage, and the pill beside the title: green is for READY alone."""
_VERDICT: Final = re.compile(r"[A-Za-z ]+")
_GLOBALS: Final = re.compile(r'"widgets/globals\.json",\s*"([A-Za-z0-9+/=]*)"')
"""Data in a page of one file: base64 of JSON."""


def dress(html: str, verdict: str) -> str:
    """Return the page with a style of our own.

    Args:
        html: The page, as Allure wrote it.
        verdict: What the checks came to: ``READY: …``, ``NOT READY: …``, ``SANDBOX ONLY: …``, …
    """
    found = _VERDICT.match(verdict)
    word = found[0].strip() if found else ""
    style = _UNUSED
    if _has_no_globals(html):
        style += _NO_GLOBALS
    if word != "READY":
        style += _NOT_READY.replace("WORD", word)
    head, closing, rest = html.partition("</head>")
    return f"{head}<style>{style}</style>{closing}{rest}" if closing else html


def _has_no_globals(html: str) -> bool:
    """Whether nothing went wrong, and nothing was attached, outside of the tests."""
    found = _GLOBALS.search(html)
    try:
        held = json.loads(base64.b64decode(found[1])) if found else {}
        return (held["errors"], held["attachments"]) == ([], [])
    except (ValueError, KeyError, TypeError):
        return False
