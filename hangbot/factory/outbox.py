"""Opens a bot's outbox."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hangbot.clock import Clock
from hangbot.config import Settings
from hangbot.delivery.outbox import Outbox, OutboxLimits
from hangbot.delivery.outbox_file import OutboxFile
from hangbot.delivery.owner import Owner
from hangbot.delivery.thread_writer import ThreadWriter
from hangbot.delivery.writer import MakeWriter

__all__ = ["open_outbox"]


@asynccontextmanager
async def open_outbox(
    settings: Settings,
    *,
    check: bool = False,
    binds: bool = True,
    patience: float = math.inf,
    clock: Clock | None = None,
    make_writer: MakeWriter = ThreadWriter,
) -> AsyncIterator[Outbox]:
    """Open a bot's outbox.

    Args:
        settings: The configuration.
        check: Whether to look through all of it for damage first.
        binds: Whether a file without an owner becomes this bot's.
        patience: Seconds for which a file is waited for that another process has locked.
        clock: Dates what is quarantined.
        make_writer: Makes what runs its statements; `hangbot.delivery.writer.InlineWriter` takes no thread.

    Raises:
        OutboxUnusable: The file cannot be used.
        OutboxOfAnother: It is another bot's.
    """
    kept = settings.keep_delivered_for, settings.keep_delivered_most
    limits = OutboxLimits(settings.queue_limit, *kept, settings.catch_up)
    owner = Owner(settings.chat_uid, settings.room_uuid, frozenset({settings.chat_receiver}), binds)
    file = OutboxFile(settings.outbox, patience=patience, clock=clock, make_writer=make_writer)
    outbox = Outbox(file, limits, owner)
    try:
        await outbox.open(check=check)
        yield outbox
    finally:
        await outbox.close()
