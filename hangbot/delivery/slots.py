"""How many more messages an outbox takes: counted again only now and then, since counting takes time."""

import sqlite3
from collections.abc import Sequence

from hangbot.delivery import put_sql, read_sql
from hangbot.delivery.outbox_limits import OutboxLimits
from hangbot.delivery.record import OutboxRow
from hangbot.errors import OutboxFull

__all__ = ["Slots"]


class Slots:
    """Puts messages as long as there are free slots; the writer's own.

    Args:
        limits: How many messages may wait.
        name: What the outbox is called in an error.
    """

    def __init__(self, limits: OutboxLimits, name: str) -> None:
        self._limits = limits
        self._name = name
        self._free = 0

    def put(self, database: sqlite3.Connection, texts: Sequence[put_sql.NewMessage]) -> list[list[OutboxRow]]:
        """Write messages as `put_sql.put` does.

        Raises:
            OutboxFull: As many messages wait as may.
        """
        stored, new = put_sql.put(database, texts)  # not what was known already: it is in the queue, or was
        if new > self._free:
            waiting = read_sql.count_waiting(database)
            self._free = min(self._limits.queue - waiting + new, self._limits.count_every)
            if new > self._free:
                raise OutboxFull(f"{waiting - new} messages wait in the outbox {self._name} already")
        self._free -= new
        return stored

    def count_again(self) -> None:
        """Have everything counted when the next message is put."""
        self._free = 0
