"""What may be sent: texts are checked and cut before they are accepted, so that each can be sent."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hangbot.delivery.split import cut, unbroken
from hangbot.errors import UsageError

__all__ = ["LONGEST_TEXT", "MOST_PARTS", "Outgoing", "split"]

LONGEST_TEXT: Final = 900
"""Characters in one message; a longer text is cut, see `hangbot.delivery.split`."""
MOST_PARTS: Final = 10

_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,100}\Z")
_RECEIVER: Final = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A text on its way: ``id`` is the stable id, made once and kept over every retry."""

    id: str
    to: str
    text: str
    direct: bool = False
    mentions: Sequence[Mapping[str, object]] = ()
    images: Sequence[str] = ()


def split(message: Outgoing) -> Sequence[Outgoing]:
    """Check a message and cut it into its parts ``ID``, ``ID.2``, ….

    Raises:
        UsageError: An empty or over-long text, one that cannot be written as UTF-8 or holds
            NUL, an id or receiver of other characters than the chat takes, or mentions or
            images that cannot be written as JSON.
    """
    if not _ID.match(message.id):
        raise UsageError(
            "an id is 1 to 100 letters, digits, `.`, `_`, `:` and `-`", remedy="Choose another --id."
        )
    if not _RECEIVER.match(message.to):
        raise UsageError(
            "a receiver is 1 to 100 letters, digits, `_` and `-`",
            remedy="Give --to a group GUID or a user's uid.",
        )
    _check_text(message.text)
    _check_extras(message)
    if len(message.text) <= LONGEST_TEXT:
        return [message]
    whole = unbroken(message.text, message.mentions, LONGEST_TEXT)
    pieces = cut(message.text, whole, LONGEST_TEXT, MOST_PARTS)
    if len(pieces) > MOST_PARTS:
        raise UsageError(
            f"the text of {len(message.text)} characters would take more than {MOST_PARTS} messages",
            remedy="Shorten the text, or send it as several messages.",
        )
    ends = [*(piece.start for piece in pieces[1:]), math.inf]
    return [
        replace(
            message,
            id=f"{message.id}.{number}" if number > 1 else message.id,
            text=message.text[piece.start : piece.end],
            mentions=_moved(message.mentions, piece.start, end, first=number == 1),
            images=message.images if number == 1 else (),
        )
        for number, (piece, end) in enumerate(zip(pieces, ends, strict=True), 1)
    ]


def _moved(
    mentions: Sequence[Mapping[str, object]], start: int, end: float, *, first: bool
) -> list[Mapping[str, object]]:
    """Return the mentions between two places of the text, counted from the first of them.

    A mention without a usable place goes with the first part.
    """
    moved: list[Mapping[str, object]] = []
    for mention in mentions:
        said = mention.get("start")
        at = max(said, 0) if isinstance(said, int) else 0
        if (first or start <= at) and at < end:
            moved.append({**mention, "start": max(at - start, 0)} if start else mention)
    return moved


def _check_text(text: object) -> None:
    if not isinstance(text, str):
        raise UsageError(
            f"the text is no text but {type(text).__name__}; nothing was accepted",
            remedy="Write `str(…)` of it.",
        )
    if not text.strip():
        raise UsageError("the text is empty; nothing was accepted", remedy="Give a text.")
    if "\0" in text:
        raise UsageError("the text holds a NUL character; nothing was accepted", remedy="Remove it.")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise UsageError(
            f"the text holds half a character (a lone surrogate at {exc.start}); nothing was accepted",
            remedy="Send whole characters as UTF-8.",
        ) from None


def _check_extras(message: Outgoing) -> None:
    """Refuse now what could not be written into the request later, for ever."""
    if not message.mentions and not message.images:
        return
    if isinstance(message.images, str) or not all(isinstance(each, str) for each in message.images):
        raise UsageError(
            "the mentions or images cannot be written: images are a list of addresses; nothing was accepted",
            remedy="Write `images=[address]`.",
        )
    try:
        json.dumps(
            [dict(mention) for mention in message.mentions] + list(message.images),
            ensure_ascii=False,
            allow_nan=False,
        ).encode()
    except (TypeError, ValueError, RecursionError) as exc:
        raise UsageError(
            f"the mentions or images cannot be written as JSON ({exc}); nothing was accepted",
            remedy="Give mentions as mappings and images as addresses.",
        ) from exc
