"""An outbox without a file: for what wants the real thing, and nothing of it to stay."""

import sqlite3
from collections.abc import Callable

from hangbot.delivery.database import connect_in_memory
from hangbot.delivery.writer import InlineWriter, OnStall, Translate

__all__ = ["in_memory"]


def in_memory(
    connect: Callable[[], sqlite3.Connection],  # noqa: ARG001  as of every maker; it would open the file
    translate: Translate,
    on_stall: OnStall,
    patience: float,
) -> InlineWriter:
    """Make the writer of an outbox that is in memory, as a `hangbot.delivery.writer.MakeWriter`.

    What is accepted there is gone when it is closed.
    """
    return InlineWriter(connect_in_memory, translate, on_stall, patience)
