"""What is left of a secret in a text that was cut: its beginning, its end, or both around ``...``. PURE."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Self

__all__ = ["DOTS", "PIECE", "Cuttable", "mask_shortened"]

PIECE: Final = 12
"""Characters of a secret's beginning or end that are masked wherever they stand."""
DOTS: Final = "..."
"""How a shortened value shows its middle: pytest writes ``'abcdef...uvwxyz'``."""
_AT_DOTS: Final = 4
"""Characters of a secret that are masked beside them."""
_CUTS: Final = re.compile(r"(\.{3,})")
_WINDOW: Final = 160
"""Characters on each side of a cut in which a piece is looked for."""


class Cuttable(NamedTuple):
    """A spelling of a secret, and the beginning and end by which its pieces are found."""

    form: str
    head: str
    tail: str

    @classmethod
    def of(cls, form: str, public: int) -> Self | None:
        """Make one of a spelling whose first characters are no secret; of a short one no piece is masked."""
        if len(form) - public <= PIECE:
            return None
        return cls(form, form[: public + PIECE], form[-PIECE:])

    def masked_in(self, text: str, mask: str) -> str:
        """Mask what the secret begins with, or ends with, as far as it goes on."""
        form = self.form
        at = text.find(self.head)
        while at >= 0:
            end = at + _alike(text[at : at + len(form)], form)
            text = text[:at] + mask + text[end:]
            at = text.find(self.head, at + len(mask))
        at = text.find(self.tail)
        while at >= 0:
            before = text[max(at + PIECE - len(form), 0) : at + PIECE]
            start = at + PIECE - _alike(before[::-1], form[::-1])
            text = text[:start] + mask + text[at + PIECE :]
            at = text.find(self.tail, start + len(mask))
        return text


def _alike(one: str, other: str) -> int:
    """Count the characters with which both begin."""
    differs = (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differs, min(len(one), len(other)))


def mask_shortened(text: str, secrets: Iterable[str], mask: str) -> str:
    """Mask what is left of a secret where a long value was shortened."""
    known = [secret for secret in secrets if len(secret) > 2 * _AT_DOTS]
    done, *rest = _CUTS.split(text)
    for dots, following in zip(rest[::2], rest[1::2], strict=True):
        before, done = done, done + dots + following
        # Of more dots than three, some may be the secret's own.
        for extra in range(min(len(dots) - len(DOTS), _WINDOW) + 1):
            masked = _mask_around(done, len(before) + extra, known, mask)
            if masked != done:
                done = masked
                break
    return done


def _mask_around(text: str, cut: int, known: Sequence[str], mask: str) -> str:
    """Mask the beginnings of secrets before a cut, and their ends after it."""
    head, tail = text[max(0, cut - _WINDOW) : cut], text[cut + len(DOTS) :]
    kept, dots = text[: cut - len(head)], text[cut : cut + len(DOTS)]
    for secret in known:
        if not head.endswith(mask) and (length := _beginning(head, secret)):
            head = head[:-length] + mask
        if not tail.startswith(mask) and (length := _ending(tail[:_WINDOW], secret)):
            tail = mask + tail[length:]
    return kept + head + dots + tail


def _beginning(text: str, secret: str) -> int:
    """Count the characters at a text's end that begin a secret; 0 where it is too few."""
    at = text.find(secret[:_AT_DOTS])
    while at >= 0:
        if secret.startswith(text[at:]):
            return len(text) - at
        at = text.find(secret[:_AT_DOTS], at + 1)
    return 0


def _ending(text: str, secret: str) -> int:
    """Count the characters at a text's beginning that end a secret; 0 where it is too few."""
    at = text.rfind(secret[-_AT_DOTS:])
    while at >= 0:
        if secret.endswith(text[: at + _AT_DOTS]):
            return at + _AT_DOTS
        at = text.rfind(secret[-_AT_DOTS:], 0, at + _AT_DOTS - 1)
    return 0
