"""What may be sent: texts checked and cut at the door, so that nothing is accepted that cannot be sent."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hangbot.errors import UsageError
from hangbot.wire.chat import Outgoing

__all__ = ["LONGEST_TEXT", "MOST_PARTS", "parts_of"]

LONGEST_TEXT: Final = 900
"""Characters in one message; a longer text is cut at word boundaries."""
MOST_PARTS: Final = 10

_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,100}\Z")
_RECEIVER: Final = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")


def parts_of(message: Outgoing) -> Sequence[Outgoing]:
    """Check a message and cut it into its parts ``ID``, ``ID.2``, ….

    Raises:
        UsageError: An empty or over-long text, one that cannot be written as UTF-8 or holds
            NUL, or an id or receiver of other characters than the chat takes.
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
    texts = _cut(message.text)
    if len(texts) > MOST_PARTS:
        raise UsageError(
            f"the text of {len(message.text)} characters would take {len(texts)} messages of {MOST_PARTS}",
            remedy="Shorten the text, or send it as several messages.",
        )
    first, *others = texts
    rest = [
        replace(message, id=f"{message.id}.{number}", text=text, images=(), mentions=())
        for number, text in enumerate(others, 2)
    ]
    return [replace(message, text=first), *rest]


def _check_text(text: str) -> None:
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


def _cut(text: str) -> list[str]:
    """Cut at the last white space that fits, or in the word where there is none."""
    texts = []
    while len(text) > LONGEST_TEXT:
        at = max(text.rfind(space, 1, LONGEST_TEXT + 1) for space in " \n\t")
        at = at if at > 0 else LONGEST_TEXT
        head, text = text[:at].rstrip(), text[at:].lstrip()
        if head:
            texts.append(head)
    return [*texts, text] if text else texts
