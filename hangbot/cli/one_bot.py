"""One bot from its start to its end: preflight, status, room, and the report."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hangbot import __version__
from hangbot.bot.app_forms import AnyApp
from hangbot.bot.bot import Bot
from hangbot.bot.held_up import HeldUp
from hangbot.cli import show
from hangbot.cli.masking import mask_also
from hangbot.cli.output import report, write_line
from hangbot.clock import SystemClock
from hangbot.config import Settings
from hangbot.delivery.outbox import Outbox, Turn
from hangbot.delivery.record import notify_all
from hangbot.delivery.stats import compute_stats
from hangbot.factory import open_bot, open_outbox, open_subject
from hangbot.hangfm.network import Network
from hangbot.hangfm.permit import ALWAYS, Permit
from hangbot.journal import Journal
from hangbot.logs import Log, log_step
from hangbot.ops import Deliveries, Shown, open_port
from hangbot.preflight import (
    describe_target,
    examine,
    exit_code,
    overall,
    result_lines,
    verdict_line,
)
from hangbot.status import Status, open_status

__all__ = ["Ending", "Start", "open_watched", "preflight_code", "run_announced", "run_one"]

logger = logging.getLogger("hangbot")

_LEVELS = {
    "rejected": logging.ERROR,
    "cannot_tell": logging.WARNING,
    "warn": logging.WARNING,
    "skipped": logging.DEBUG,  # its cause was logged just before
}


class Ending(Protocol):
    """How a bot is stopped.

    Attributes:
        stop: Called to stop it in order; ``None`` while there is nothing to end in order.
    """

    stop: Callable[[], None] | None


@dataclass(frozen=True, slots=True)
class Start:
    """What a bot is started with.

    Attributes:
        settings: The configuration.
        log: The log of the process.
        app: The author's.
        ending: How it is stopped.
        once_it_runs: Called when it is ready.
        name: What it is called among several of this process; ``None``: it is the only one.
    """

    settings: Settings
    log: Log
    app: AnyApp | None
    ending: Ending
    once_it_runs: Callable[[], None] = lambda: None
    name: str | None = None

    def know_token(self, token: str, made: Path | None) -> None:
        """Mask the status page's token; one that was just made is shown, this once."""
        if made:
            report(f"the token for changes on the status page, shown this once: {token} (kept in {made})")
        mask_also([token])
        self.log.redactor.add(token)


async def run_one(start: Start) -> int:
    """Run a bot until it is stopped, and return its exit code.

    Raises:
        HangbotError: It ends by itself.
    """
    with ExitStack() as last:  # released when the outbox is closed, with everything written
        async with open_outbox(start.settings) as outbox:
            turn = last.enter_context(Turn(start.settings.outbox))
            if turn.had:
                await outbox.place.check()
            return await _preflight_and_run(start, outbox, turn)


async def _preflight_and_run(start: Start, outbox: Outbox, turn: Turn) -> int:
    settings = start.settings

    async def take_outbox(given_up: Callable[[], bool]) -> bool:
        """Take the outbox over from the command that has it now; the bot joins the room before."""
        waits = not turn.had
        had = await turn.take(given_up)
        if had and waits:
            await outbox.place.check()
        return had

    origin = settings.origins["outbox"]
    logger.info("the outbox is %s (%s)", settings.outbox.absolute(), origin, extra={"action": "outbox"})
    async with open_watched(start, outbox, turn=take_outbox) as (bot, status):
        preflight = asyncio.create_task(preflight_code(settings), name="hangbot-preflight")

        def stop() -> None:
            status.stopping()
            bot.stop()
            preflight.cancel()

        start.ending.stop = stop
        try:
            await asyncio.wait([preflight])
        finally:
            preflight.cancel()
        if not preflight.cancelled() and (code := preflight.result()):
            return code
        try:
            await run_announced(start, bot, outbox)
        finally:
            await _print_report(outbox, bot)
    return 0


@asynccontextmanager
async def open_watched(
    start: Start,
    outbox: Outbox,
    *,
    turn: Callable[[Callable[[], bool]], Awaitable[bool]] | None = None,
    permit: Permit = ALWAYS,
    is_local: bool = True,
    held_up: HeldUp | None = None,
) -> AsyncIterator[tuple[Bot, Status]]:
    """Open a bot, and all that says how it is.

    Args:
        start: What it is started with.
        outbox: Its own, which is open.
        turn: As for `open_bot`.
        permit: Holds while the bot may act.
        is_local: Whether it is asked on a socket beside its outbox.
        held_up: As for `open_bot`.
    """
    settings, clock, deliveries = start.settings, SystemClock(), Deliveries()
    network = Network(journal=Journal(asyncio.get_running_loop().time), permit=permit)
    if start.name is not None:  # it shares its process
        network = network.paced(clock)
    notify = log_step if settings.status_port is None else notify_all(log_step, deliveries.step)
    async with (
        open_bot(
            settings, outbox, app=start.app, notify=notify, turn=turn, network=network, held_up=held_up
        ) as bot,
        open_status(
            settings,
            bot,
            outbox.place,
            clock=clock,
            version=__version__,
            journal=network.journal,
            recent=start.log.recent,
            is_local=is_local,
        ) as status,
        open_port(
            settings,
            Shown(bot, outbox, status, deliveries, start.log.recent, start.name),
            clock=clock,
            on_token=start.know_token,
        ),
    ):
        yield bot, status


async def run_announced(start: Start, bot: Bot, outbox: Outbox) -> None:
    """Run a bot, and say when it is ready."""
    announcing = asyncio.create_task(
        _announce(bot, start.settings.room_uuid, outbox, start.once_it_runs), name="hangbot-announce"
    )
    try:
        await bot.run()
    finally:
        announcing.cancel()
        await asyncio.gather(announcing, return_exceptions=True)


async def _announce(bot: Bot, room_uuid: str, outbox: Outbox, and_then: Callable[[], None]) -> None:
    """Log a line once the bot is ready, so that it stands below the checks, then call ``and_then``."""
    await bot.ready()
    state = bot.room.state if bot.room else None
    room = (state.room_name() if state else None) or room_uuid
    queued = await outbox.count_waiting()
    logger.info(
        "running: in %s, reading the chat, %d queued",
        room,
        queued,
        extra={"action": "running", "queued": queued},
    )
    and_then()


async def preflight_code(settings: Settings, permit: Permit = ALWAYS) -> int:
    """Log the checks, and return 0 where the bot may start: only a rejection prevents it.

    Args:
        settings: The configuration.
        permit: Holds while the bot may act: checks join the room and its chat.
    """
    results = []
    async with open_subject(settings, network=Network(permit=permit)) as context:
        async for result in examine(context):
            results.append(result)
            line = " ".join(part.strip() for part in result_lines(result))
            logger.log(_LEVELS.get(result.verdict, logging.INFO), "%s", line, extra={"action": "preflight"})
    verdict = overall(results)
    if verdict == "cannot_tell":
        logger.warning(
            "not every check has an answer yet: starting all the same, and trying on",
            extra={"action": "preflight"},
        )
    if verdict != "not_ready":
        return 0
    # Logged last: the rejected check stands in the middle of the others, and the bot ends here.
    reached = verdict_line(verdict, describe_target(settings, results))
    logger.info("%s; the bot was not started", reached, extra={"action": "preflight"})
    return exit_code(results)


async def _print_report(outbox: Outbox, bot: Bot) -> None:
    """Print the figures since the bot began, and the messages that did not arrive."""
    listed = await outbox.rows(["failed", "uncertain", "expired", "dropped"], since=bot.started_at)
    for line in show.report(
        listed, compute_stats(await outbox.timings(since=bot.started_at), SystemClock().wall())
    ):
        write_line(line)
