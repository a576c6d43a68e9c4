"""Deliver what `hangbot send` accepted, unless a running bot does."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from hangbot.config import Settings
from hangbot.delivery.courier import Courier
from hangbot.delivery.outbox import Outbox, exclusive_soon, is_wanted
from hangbot.delivery.record import OutboxRow, Step
from hangbot.errors import (
    HangbotError,
    OutboxBusy,
    OutboxDiskFull,
    OutboxLocked,
    OutboxNotOurs,
    OutboxTaken,
    OutboxUnusable,
    UnknownMessage,
)
from hangbot.logs import log_step

__all__ = ["Accepted", "deliver_while_accepting", "find_row", "wait_until_settled"]

logger = logging.getLogger("hangbot")

_POLL: Final = 0.05
_HOLD: Final = 0.2
"""Seconds for which a command that only checks for a running bot holds the outbox, at most."""
_GRACE: Final = 1.0
"""Seconds behind a message's total time within which its failure is still reported as that."""


class Accepted:
    """The ids that were accepted so far, and whether there are more to come."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.bad_lines = 0
        self.input_error: HangbotError | None = None
        """Why reading stopped early; the messages before are delivered all the same."""
        self.ended_at = 0.0
        self.ended_last = asyncio.get_running_loop().time()
        """When a message ended last: as long as messages do, this command goes on."""
        self.handed_over: tuple[str, ...] = ()
        """The ids that a bot delivers, which started meanwhile."""
        self._over = False
        self._known = -1
        self._news = asyncio.Event()

    def add(self, rows: Sequence[OutboxRow]) -> None:
        """Take the ids of accepted messages."""
        self.keys += [row.message.id for row in rows]
        self._news.set()

    def note(self, step: Step) -> None:
        """Log a step of delivery."""
        if step.settlement:
            self.ended_last = asyncio.get_running_loop().time()
        log_step(step)

    def end(self) -> None:
        """Note that there will be no more."""
        self._over = True
        self.ended_at = asyncio.get_running_loop().time()
        self._news.set()

    async def more(self) -> bool:
        """Wait until there is more to deliver than at the last call; ``False`` where there never will be.

        The first call returns ``True`` in any case: the outbox may hold the messages of others.
        """
        while len(self.keys) == max(self._known, 0) and not self._over:
            await self._news.wait()
            self._news.clear()
        last, self._known = self._known, len(self.keys)
        return self._known != last


async def deliver_while_accepting(
    settings: Settings, outbox: Outbox, courier: Courier, within: float | None, accepted: Accepted
) -> bool:
    """Deliver whenever something is accepted; in between, a bot may start and take the outbox.

    In a fleet none of that is for a command to do: the room's owner delivers.
    """
    delivered_here = False
    if settings.cluster:
        while await accepted.more():
            pass
        return False
    while await accepted.more() and not isinstance(accepted.input_error, OutboxDiskFull | OutboxLocked):
        delivered_here = await _deliver(settings, outbox, courier, within, accepted) or delivered_here
    return delivered_here


async def _deliver(
    settings: Settings, outbox: Outbox, courier: Courier, within: float | None, accepted: Accepted
) -> bool:
    """Deliver what is queued, oldest first, unless a running bot does."""
    try:
        async with asyncio.timeout(within):
            delivered_here = False
            # Repeat for what another `send` accepted at the last moment, and left to this one.
            while not delivered_here or await outbox.count_waiting():
                async with exclusive_soon(settings.outbox, within=_HOLD, brief=True):
                    delivered_here = True
                    accepted.ended_last = asyncio.get_running_loop().time()
                    if await _deliver_until_handed_over(settings, courier, accepted):
                        accepted.handed_over = tuple(accepted.keys)
    except TimeoutError:
        return True
    except OutboxBusy:
        return delivered_here
    except (OutboxTaken, OutboxNotOurs):
        raise  # the messages may be gone with the file, or belong to another bot
    except OutboxUnusable as exc:
        more = {"action": "outbox"}
        logger.warning("%s: what was accepted stays queued. %s", exc, exc.remedy, extra=more)
        return False
    return True


async def _deliver_until_handed_over(settings: Settings, courier: Courier, accepted: Accepted) -> bool:
    """Deliver everything that waits; when a bot starts, finish what is being sent and leave the rest.

    Returns:
        Whether a bot goes on.

    Raises:
        TimeoutError: No message has ended for the total time of one: the service is down.
    """
    now = asyncio.get_running_loop().time
    wanted = False
    delivering = asyncio.create_task(courier.run_until_empty(), name="hangbot-send-deliver")
    try:
        while not (await asyncio.wait([delivering], timeout=_POLL))[0]:
            if now() > accepted.ended_last + settings.retry_total + _GRACE:
                raise TimeoutError
            if is_wanted(settings.outbox):
                wanted = True
                courier.hand_over()
        delivering.result()
        return wanted
    finally:
        delivering.cancel()
        await asyncio.gather(delivering, return_exceptions=True)


async def wait_until_settled(outbox: Outbox, keys: Sequence[str], until: float) -> None:
    """Poll the outbox until the running bot, which may be another process, has settled the messages."""
    try:
        async with asyncio.timeout_at(until):
            for key in keys:
                while (row := await find_row(outbox, key)) and row.settled_at is None:  # noqa: ASYNC110  there is no event to wait for
                    await asyncio.sleep(_POLL)
    except TimeoutError:
        return


async def find_row(outbox: Outbox, key: str) -> OutboxRow | None:
    """Return a message; ``None`` for one that was delivered long ago, and is no longer kept."""
    with suppress(UnknownMessage):
        return await outbox.get(key)
    return None
