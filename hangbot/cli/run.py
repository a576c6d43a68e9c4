"""``hangbot run``: the bot in production, or on an embedded sandbox."""

import argparse
import asyncio
import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hangbot import __version__
from hangbot.bot.app_forms import AnyApp
from hangbot.bot.bot import Bot
from hangbot.cli import show
from hangbot.cli.app import load_apps
from hangbot.cli.context import ENV_FILE, load_settings_and_log, open_embedded_sandbox, set_up_logs
from hangbot.cli.ending import run_to_end
from hangbot.cli.masking import mask_also
from hangbot.cli.output import report, write_line
from hangbot.cli.signals import SecondSignal, Signals, Stopped, stopping
from hangbot.clock import SystemClock
from hangbot.config import Settings
from hangbot.delivery.outbox import Outbox, Turn
from hangbot.delivery.record import notify_all
from hangbot.delivery.stats import compute_stats
from hangbot.exit_codes import FAILED
from hangbot.factory import open_bot, open_outbox, open_subject
from hangbot.hangfm.network import Network
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
from hangbot.status import open_status

__all__ = ["add_arguments", "run"]

logger = logging.getLogger("hangbot")

_GUEST: Final = "you"
"""The user who speaks to a bot on its own sandbox."""

_LEVELS = {
    "rejected": logging.ERROR,
    "cannot_tell": logging.WARNING,
    "warn": logging.WARNING,
    "skipped": logging.DEBUG,  # its cause was logged just before
}


@dataclass(frozen=True, slots=True)
class _Start:
    """What a bot is started with.

    Attributes:
        settings: The configuration.
        log: The log of the process.
        app: The author's.
        signals: What ends the bot.
        once_it_runs: Called when it is ready.
    """

    settings: Settings
    log: Log
    app: AnyApp | None
    signals: Signals
    once_it_runs: Callable[[], None] = lambda: None

    def know_token(self, token: str, made: Path | None) -> None:
        """Mask the status page's token; one that was just made is shown, this once."""
        if made:
            report(f"the token for changes on the status page, shown this once: {token} (kept in {made})")
        mask_also([token])
        self.log.redactor.add(token)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.set_defaults(until_stopped=True)
    parser.add_argument(
        "--sandbox", action="store_true", help="run on an embedded Hang.fm, without a configuration"
    )


def run(args: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM."""
    loaded = None if args.sandbox else load_settings_and_log(args)
    app = load_apps(args.app, (args.env_file or ENV_FILE).parent)
    return run_to_end(_until_stopped(args, loaded, app))


async def _until_stopped(
    args: argparse.Namespace, loaded: tuple[Settings, Log] | None, app: AnyApp | None
) -> int:
    """Handle signals before anything is opened, and until everything is closed."""
    try:
        with stopping() as signals:
            if loaded is None:
                return await _on_sandbox(args, app, signals)
            return await _run(_Start(*loaded, app, signals))
    except Stopped:
        logger.info("stopped before the bot began")
        return 0
    except SecondSignal:
        logger.error(  # noqa: TRY400  a signal, no fault: there is no traceback worth showing
            "[ERROR] stopped at once: what was on its way is asked about at the next start"
        )
        return FAILED


async def _on_sandbox(args: argparse.Namespace, app: AnyApp | None, signals: Signals) -> int:
    async with open_embedded_sandbox() as (sandbox, settings):
        log = set_up_logs(args, settings)
        logger.info("on the sandbox at %s: nothing live is touched", settings.chat_url)
        await sandbox.users.add(_GUEST, uid=_GUEST).join()
        control = sandbox.control_url
        words = f'curl -sS {control}/users/{_GUEST}/say -d \'{{"text": "/uptime"}}\''

        def invite() -> None:
            more = {"action": "sandbox", "control_url": control}
            logger.info("the room, and all that can be done in it, is a page: %s/", control, extra=more)
            logger.info("to talk to the bot from a second terminal: %s", words, extra=more)

        return await _run(_Start(settings, log, app, signals, invite))


async def _run(start: _Start) -> int:
    with ExitStack() as last:  # released when the outbox is closed, with everything written
        async with start.log.settling(SystemClock()), open_outbox(start.settings) as outbox:
            turn = last.enter_context(Turn(start.settings.outbox))
            if turn.had:
                await outbox.file.check()
            return await _preflight_and_run(start, outbox, turn)


async def _preflight_and_run(start: _Start, outbox: Outbox, turn: Turn) -> int:
    settings = start.settings

    async def take_outbox(given_up: Callable[[], bool]) -> bool:
        """Take the outbox over from the command that has it now; the bot joins the room before."""
        waits = not turn.had
        had = await turn.take(given_up)
        if had and waits:
            await outbox.file.check()
        return had

    clock, deliveries = SystemClock(), Deliveries()
    network = Network(journal=Journal(clock.now))
    notify = log_step if settings.status_port is None else notify_all(log_step, deliveries.step)
    origin = settings.origins["outbox"]
    logger.info("the outbox is %s (%s)", settings.outbox.absolute(), origin, extra={"action": "outbox"})
    async with (
        open_bot(settings, outbox, app=start.app, notify=notify, turn=take_outbox, network=network) as bot,
        open_status(
            settings,
            bot,
            outbox.file,
            clock=clock,
            version=__version__,
            journal=network.journal,
            recent=start.log.recent,
        ) as status,
        open_port(
            settings,
            Shown(bot, outbox, status, deliveries, start.log.recent),
            clock=clock,
            on_token=start.know_token,
        ),
    ):
        preflight = asyncio.create_task(_preflight(settings), name="hangbot-preflight")

        def stop() -> None:
            status.stopping()
            bot.stop()
            preflight.cancel()

        start.signals.stop = stop
        try:
            await asyncio.wait([preflight])
        finally:
            preflight.cancel()
        if not preflight.cancelled() and (code := preflight.result()):
            return code
        announcing = asyncio.create_task(
            _announce(bot, settings.room_uuid, outbox, start.once_it_runs), name="hangbot-announce"
        )
        try:
            await bot.run()
        finally:
            announcing.cancel()
            await asyncio.gather(announcing, return_exceptions=True)
            await _print_report(outbox, bot)
    return 0


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


async def _preflight(settings: Settings) -> int:
    """Log the checks, and return 0 where the bot may start: only a rejection prevents it."""
    results = []
    async with open_subject(settings) as context:
        async for result in examine(context):
            results.append(result)
            line = " ".join(part.strip() for part in result_lines(result))
            logger.log(_LEVELS.get(result.verdict, logging.INFO), "%s", line, extra={"action": "preflight"})
    verdict = overall(results)
    if verdict == "cannot_tell":
        logger.warning("not every check has an answer yet: starting all the same, and trying on")
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
