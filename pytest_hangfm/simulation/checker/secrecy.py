"""That no secret is in anything that the bot wrote. PURE."""

import base64
import json
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from pytest_hangfm.simulation.checker.verdict import Finding
from pytest_hangfm.simulation.history import HealthSeen, History, Left, Logged, Settled, Stopped

__all__ = ["secret"]

_SHORTEST: Final = 6
"""Characters of base64 that are no coincidence."""


def secret(history: History) -> Iterator[Finding]:
    """No secret is written, neither as it is nor quoted nor in base64."""
    forms = [
        (number, form) for number, hidden in enumerate(history.secrets, 1) for form in sorted(_forms(hidden))
    ]
    for at, text in _written(history):
        for number, form in forms:
            if form in text:
                yield at, f"secret {number} was written"
                break


def _written(history: History) -> Iterator[tuple[float, str]]:
    """Yield all that the bot wrote: what has a time of its own, and the rest at once."""
    for event in history.events:
        match event:
            case Logged(text=text) | Settled(reason=text) | Stopped(error=text):
                yield event.at, text
            case HealthSeen(red=words) | Left(what=words):
                yield event.at, "\n".join(words)
    if history.output:
        yield history.events[-1].at if history.events else 0.0, "\n".join(history.output)


def _forms(hidden: str) -> set[str]:
    """Return how a secret may be written."""
    raw = hidden.encode()
    shown = {hidden, quote(hidden, safe=""), quote(hidden), quote_plus(hidden), json.dumps(hidden)[1:-1]}
    shown |= {repr(hidden)[1:-1], raw.hex()}
    for before in range(3):  # within a longer text it begins at any of three places
        skipped = -(-before * 8 // 6)
        whole = (before + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            shown.add(encode(b"\0" * before + raw).decode()[skipped:whole])
    return {form for form in shown if len(form) >= _SHORTEST or form == hidden} - {""}
