"""Masking what is left of a secret where pytest shortens a long value: ``'abcdef...uvwxyz'``. PURE."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["mask_shortened"]

_DOTS: Final = "..."
_CUTS: Final = re.compile(r"(\.{3,})")
_PIECE: Final = 4
"""Characters of a secret that are worth masking."""
_WINDOW: Final = 160


def mask_shortened(text: str, secrets: Iterable[str], mask: str) -> str:
    """Mask what pytest leaves of a secret where it shortens a long value: ``'abcdef...uvwxyz'``."""
    if _DOTS not in text:
        return text
    known = [secret for secret in secrets if len(secret) > 2 * _PIECE]
    done, *rest = _CUTS.split(text)
    for dots, piece in zip(rest[::2], rest[1::2], strict=True):
        done += dots + piece
        place = len(done) - len(piece) - len(dots)
        for extra in range(
            len(dots) - len(_DOTS) + 1
        ):  # of more dots than three, some may be the secret's own
            masked = _mask_around(done, place + extra, known, mask)
            if masked != done:
                done = masked
                break
    return done


def _mask_around(text: str, cut: int, known: Iterable[str], mask: str) -> str:
    """Mask the beginnings of secrets before a cut, and their ends after it."""
    head, tail = text[max(0, cut - _WINDOW) : cut], text[cut + len(_DOTS) :]
    kept, dots = text[: cut - len(head)], text[cut : cut + len(_DOTS)]
    for secret in known:
        if ends := _beginning(head, secret):
            head = head[:-ends] + mask
        if begins := _ending(tail[:_WINDOW], secret):
            tail = mask + tail[begins:]
    return kept + head + dots + tail


def _beginning(text: str, secret: str) -> int:
    """How many characters at a text's end are a secret's beginning; 0 where it is too few."""
    at = text.find(secret[:_PIECE])
    while at >= 0:
        if secret.startswith(text[at:]):
            return len(text) - at
        at = text.find(secret[:_PIECE], at + 1)
    return 0


def _ending(text: str, secret: str) -> int:
    """How many characters at a text's beginning are a secret's end; 0 where it is too few."""
    at = text.rfind(secret[-_PIECE:])
    while at >= 0:
        if secret.endswith(text[: at + _PIECE]):
            return at + _PIECE
        at = text.rfind(secret[-_PIECE:], 0, at + _PIECE - 1)
    return 0
