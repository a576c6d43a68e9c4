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
_WORDS: Final = {
    "page": {
        "title": "hangbot",
        "whose": "bot",
        "speaker": "bot",
        "token": "It was shown when the bot first started, and stands in the file beside the outbox that"
        " ends in <code>.token</code>. This tab keeps it until it is closed.",
    },
    "fleet": {
        "title": "hangbot fleet",
        "whose": "fleet",
        "speaker": "worker",
        "token": "It stands in the file <code>hangbot-fleet.token</code> in the folder of the rooms."
        " This tab keeps it until it is closed.",
    },
}
"""What the frame of a page says of it."""


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
    main = _text(f"{name}.html")
    document = Template(_text("frame.html")).substitute(_WORDS[name], main=main, css=css, js=js)
    return Page(document.encode(), _POLICY.format(css=_hash(css), js=_hash(js)))


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
