"""What a handler says while it handles a message has ids made from that message: run again, it says the same.

The message that is handled stands in a context variable, so tasks that a handler starts have it, too.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from hangbot.bot.events import ChatMessage

__all__ = ["Answering", "answer_id", "answering", "current"]

_CURRENT: Final[ContextVar["Answering | None"]] = ContextVar("hangbot_answering", default=None)
_FORM: Final = "hangbot answer 1"
"""What is hashed begins with this; another form has another number, and with it other ids."""


def answer_id(
    bot: str, receiver: str, message: int, app: str, *, direct: bool, epoch: int, ordinal: int
) -> str:
    """Return the id of what is said in answer to a message: 32 hexadecimal digits, always the same. PURE.

    Args:
        bot: The uid of the bot that says it.
        receiver: The GUID of the group or the uid of the user that it goes to.
        message: The id of the message that is answered.
        app: The name of the app.
        direct: Whether the receiver is a user.
        epoch: How often the ids of messages went backwards until it was heard.
        ordinal: How many answers to the message went to the same receiver before this one.
    """
    fields = [_FORM, bot, "user" if direct else "group", receiver, epoch, message, app, ordinal]
    written = json.dumps(fields, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(written.encode("ascii")).hexdigest()[:32]


class Answering:
    """The answers to one message, counted for each receiver.

    Args:
        bot: The object that handles it; only what this says is an answer.
        line: The message.
        epoch: How often the ids of messages went backwards until it was heard.
        app: The name of the app.
    """

    def __init__(self, bot: object, line: ChatMessage, epoch: int, app: str) -> None:
        self.bot = bot
        self.line = line
        self.app = app
        self._epoch = epoch
        self._said: defaultdict[tuple[str, bool], int] = defaultdict(int)

    @contextmanager
    def next_id(self, uid: str, receiver: str, *, direct: bool) -> Iterator[str]:
        """Give the id of the next answer to a receiver; one that was refused leaves it to the next.

        Args:
            uid: The uid of the bot that says it.
            receiver: Where it goes to.
            direct: Whether that is a user.
        """
        to = receiver, direct
        ordinal = self._said[to]
        self._said[to] += 1
        try:
            yield answer_id(
                uid, receiver, self.line.id, self.app, direct=direct, epoch=self._epoch, ordinal=ordinal
            )
        except Exception:
            if self._said[to] == ordinal + 1:
                self._said[to] = ordinal
            raise

    def begin_again(self) -> None:
        """Give the same ids once more: nothing of what was said is to stand."""
        self._said.clear()


class answering:  # noqa: N801  called as a function is; a generator would cost three times as much at each line
    """Have what is said in the block, and in tasks that it starts, be answers to a message, or to none."""

    def __init__(self, context: Answering | None) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._token = _CURRENT.set(self._context)

    def __exit__(self, *_: object) -> None:
        _CURRENT.reset(self._token)


def current(bot: object) -> Answering | None:
    """Return what a bot answers here, or ``None`` outside a handler of its own."""
    context = _CURRENT.get()
    return context if context is not None and context.bot is bot else None
