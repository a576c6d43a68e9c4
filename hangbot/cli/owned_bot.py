"""One bot of a fleet, from the lease of its room to its end: see `hangbot.fleet.room_life`."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from hangbot.bot.app_forms import AnyApp
from hangbot.bot.bot import Bot
from hangbot.bot.held_up import HeldUp
from hangbot.cli.one_bot import Start, open_watched, preflight_code, run_announced
from hangbot.clock import Clock, SystemClock
from hangbot.delivery.outbox import Outbox
from hangbot.errors import HangbotError, OutboxTaken
from hangbot.exit_codes import FAILED
from hangbot.factory import open_owned_outbox
from hangbot.fleet.records import RecordsNewer
from hangbot.fleet.room_life import OwnedRoom, RoomEnd
from hangbot.hangfm.permit import Permit
from hangbot.logs import Log
from hangbot.ops.source import Source
from hangbot.system_errors import explained

__all__ = ["Bots", "run_owned"]

logger = logging.getLogger("hangbot")

_EXAMINED_AFTER: Final = 10.0
"""Seconds after which a bot that is not ready is examined; most were run by another worker just before."""
_SAID_EVERY: Final = 5.0
_SAID_SOON: Final = 1.0


@dataclass(frozen=True, slots=True)
class Bots:
    """What the bots of one worker have in common.

    Attributes:
        worker: The worker's name.
        log: The log of the process.
        app: The author's.
        shown: Those that run now, as the worker's port shows them.
        held_up: Calls by which they held up the worker.
    """

    worker: str
    log: Log
    app: AnyApp | None
    shown: list[Source] = field(default_factory=list)
    held_up: HeldUp = field(default_factory=HeldUp)

    @contextmanager
    def showing(self, room: OwnedRoom, bot: Bot, outbox: Outbox) -> Iterator[None]:
        """Have the worker's port show a bot while the block runs."""
        uuid, name = room.config.settings.room_uuid, room.config.name
        source = Source(uuid, bot.started_at, bot.figures, bot.health, outbox.queue, name, self.worker)
        self.shown.append(source)
        try:
            yield
        finally:
            self.shown.remove(source)


async def run_owned(room: OwnedRoom, bots: Bots) -> RoomEnd:
    """Run a room's bot until it is stopped or ends by itself; whatever happens is how it ended."""
    settings = room.config.settings.with_changes(status_port=None)  # the worker has one for all
    start = Start(settings, bots.log, bots.app, room, room.ready.set, room.config.name)
    try:
        async with open_owned_outbox(start.settings, room.cluster, room.token) as (outbox, renew):
            room.renew = renew
            try:
                return await _run(start, room, outbox, bots)
            finally:
                room.renew = None
    except Exception as exc:
        known = explained(exc)
        if known is None:
            logger.exception(
                "[ERROR] the bot ended by a fault of hangbot itself", extra={"action": "bot_failed"}
            )
            return RoomEnd(FAILED, "a fault of hangbot itself: its log has it")
        return _end_of(known)


def _end_of(known: HangbotError) -> RoomEnd:
    words = str(known).rstrip(".")
    level = logging.INFO if isinstance(known, OutboxTaken) else logging.ERROR
    logger.log(level, "%s. %s", words, known.remedy, extra={"action": "bot_ended", "code": known.exit_code})
    return RoomEnd(known.exit_code, words, is_newer=isinstance(known, RecordsNewer))


async def _run(start: Start, room: OwnedRoom, outbox: Outbox, bots: Bots) -> RoomEnd:
    clock = SystemClock()
    async with (
        open_watched(start, outbox, permit=room.permit, is_local=False, held_up=bots.held_up) as (
            bot,
            status,
        ),
        room.cluster.answering(room.config.key, status.answer),
    ):
        examining = asyncio.create_task(_examine(start, room.permit, bot, clock), name="hangbot-preflight")
        saying = asyncio.create_task(_say(room, bot, outbox, clock), name="hangbot-health")

        def stop() -> None:
            status.stopping()
            bot.stop()

        room.conditions, room.stop = bot.conditions, stop
        try:
            with bots.showing(room, bot, outbox):
                await run_announced(start, bot, outbox)
        finally:
            room.stop = room.conditions = None
            examining.cancel()
            saying.cancel()
            await asyncio.gather(examining, saying, return_exceptions=True)
        code = 0 if examining.cancelled() else examining.result()
        return RoomEnd(code, "preflight rejects its configuration: its log has the checks" if code else "")


async def _examine(start: Start, permit: Permit, bot: Bot, clock: Clock) -> int:
    """Log the checks where the bot may act and is not ready for long, and stop it where they reject it."""
    while True:
        try:
            await clock.wait_for(bot.ready(), _EXAMINED_AFTER)
        except TimeoutError:
            if not permit.holds():
                continue  # it is known why
            code = await preflight_code(start.settings, permit)
            if code:
                bot.stop()
            return code
        return 0


async def _say(room: OwnedRoom, bot: Bot, outbox: Outbox, clock: Clock) -> None:
    """Have the lease say how the bot fares, now and then."""
    while True:
        health = bot.health()
        why = "; ".join(f"{each.part}: {each.sentence}" for each in health.red)
        room.say(ready=health.ready, queued=await outbox.count_waiting(), why=why)
        if room.ready.is_set():
            await clock.sleep(_SAID_EVERY if health.ready else _SAID_SOON)
        else:
            with suppress(TimeoutError):
                await clock.wait_for(room.ready.wait(), _SAID_EVERY)
