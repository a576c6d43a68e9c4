"""A page as one document that loads nothing, and the policy by which a browser lets it do nothing else."""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from string import Template
from typing import Final, NamedTuple

__all__ = ["Page", "page"]

_HERE: Final = files("hangbot.ops")
_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; img-src data:; style-src {css}; script-src {js}; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)


class Page(NamedTuple):
    """A page.

    Attributes:
        body: The document.
        policy: Its Content-Security-Policy: its own script and style, and no other.
    """

    body: bytes
    policy: str


@cache
def page(name: str) -> Page:
    """Return a page, ``page`` or ``fleet``, which is put together on first use."""
    css, js = (_text(f"common.{kind}") + _text(f"{name}.{kind}") for kind in ("css", "js"))
    document = Template(_text(f"{name}.html")).substitute(css=css, js=js)
    return Page(document.encode(), _POLICY.format(css=_hash(css), js=_hash(js)))


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
