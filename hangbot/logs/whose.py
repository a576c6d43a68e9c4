"""Which of several bots of this process a line of the log is about."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple

__all__ = ["Whose", "about", "mark"]


class Whose(NamedTuple):
    """A bot among several: what it is called in text, and its room."""

    name: str
    room: str


_WHOSE: Final[ContextVar[Whose | None]] = ContextVar("hangbot_log_whose", default=None)


@contextmanager
def about(whose: Whose) -> Iterator[None]:
    """Have the lines of the block, and of the tasks that it starts, be about one bot of several."""
    token = _WHOSE.set(whose)
    try:
        yield
    finally:
        _WHOSE.reset(token)


def mark(record: logging.LogRecord) -> bool:
    """Write into a record which bot it is about; a filter that passes all."""
    whose = _WHOSE.get()
    if whose is not None:
        record.bot = whose.name
        record.room = getattr(record, "room", None) or whose.room
    return True
