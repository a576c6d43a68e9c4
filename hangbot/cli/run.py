"""``hangbot run``: a bot in production, several in one process, or one on an embedded sandbox."""

import argparse
import asyncio
import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from hangbot.bot.app_forms import AnyApp
from hangbot.cli.app import load_apps
from hangbot.cli.context import ENV_FILE, load_all_settings_and_log, open_embedded_sandbox, set_up_logs
from hangbot.cli.ending import run_to_end
from hangbot.cli.loop_watch import watched_for_blocking
from hangbot.cli.one_bot import Start, run_one
from hangbot.cli.output import report
from hangbot.cli.signals import SecondSignal, Signals, Stopped, stopping
from hangbot.clock import SystemClock
from hangbot.config import Settings
from hangbot.errors import UsageError
from hangbot.exit_codes import FAILED, PUT_OUT, worst
from hangbot.logs import Log, Whose, about
from hangbot.system_errors import explained

__all__ = ["add_arguments", "run", "until_stopped"]

logger = logging.getLogger("hangbot")

_GUEST: Final = "you"
"""The user who speaks to a bot on its own sandbox."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A bot among several: the name of its configuration, and the configuration."""

    name: str
    settings: Settings
    app: AnyApp | None


@dataclass(slots=True)
class _Ending:
    """How one of several is stopped: see `hangbot.cli.one_bot.Ending`."""

    stop: Callable[[], None] | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.set_defaults(until_stopped=True)
    parser.add_argument(
        "--sandbox", action="store_true", help="run on an embedded Hang.fm, without a configuration"
    )
    parser.add_argument(
        "--dev", action="store_true", help="the same, and start again whenever a file here changes"
    )


def run(args: argparse.Namespace) -> int:
    """Run until a signal (INT, TERM, HUP)."""
    if (args.dev or args.sandbox) and args.env_files:
        raise UsageError(
            f"--{'dev' if args.dev else 'sandbox'} runs on a sandbox of its own,"
            " and --env-file names another room",
            remedy="Leave one of them out; how the bot is run may stand in the environment.",
        )
    if args.dev:
        from hangbot.cli.dev import run_dev  # noqa: PLC0415  only who writes a bot pays for it

        return run_to_end(partial(run_dev, args))
    if args.sandbox:
        app = load_apps(args.app, ENV_FILE.parent)
        return run_to_end(partial(until_stopped, lambda signals: _on_sandbox(args, app, signals)))
    every, log = load_all_settings_and_log(args)
    files = args.env_files or [ENV_FILE]
    bots = [
        _Named(name, settings, load_apps(args.app, file.parent))
        for name, file, settings in zip(_names(files), files, every, strict=True)
    ]
    for bot in bots:
        if bot.settings.cluster:
            raise UsageError(
                f"the outbox of {bot.name} is in a fleet's cluster, where rooms have owners",
                remedy="Run it with `hangbot fleet run --rooms DIR`, DIR being the folder of its file.",
            )
    if len(bots) == 1:
        (bot,) = bots
        return run_to_end(partial(until_stopped, lambda signals: _run(bot.settings, log, bot.app, signals)))
    _refuse_two_alike(bots)
    return run_to_end(partial(until_stopped, lambda signals: _run_several(bots, log, signals)))


def _names(files: Sequence[Path]) -> list[str]:
    """Return what each bot is called: the name of its file, with its folder where two have the same."""
    stems = Counter(file.stem for file in files)
    return [file.stem if stems[file.stem] == 1 else str(file.with_suffix("")) for file in files]


def _refuse_two_alike(bots: Sequence[_Named]) -> None:
    """Refuse two with one outbox, and two that are one user in one room."""
    outboxes: dict[Path, str] = {}
    users: dict[tuple[str, str], str] = {}
    for bot in bots:
        outbox = bot.settings.outbox.resolve()
        if outbox in outboxes:
            raise UsageError(
                f"the bots {outboxes[outbox]} and {bot.name} have one outbox, {outbox}",
                remedy="Give each a HANGBOT_OUTBOX of its own, in its file.",
            )
        outboxes[outbox] = bot.name
        user = bot.settings.bot_user_token.get_secret_value(), bot.settings.room_uuid
        if user in users:
            raise UsageError(
                f"the bots {users[user]} and {bot.name} are one bot in one room,"
                " and would answer each line twice",
                remedy="Give each a ROOM_UUID or a BOT_USER_TOKEN of its own, in its file.",
            )
        users[user] = bot.name


async def until_stopped(life: Callable[[Signals], Awaitable[int]]) -> int:
    """Handle signals before anything is opened, and until everything is closed."""
    try:
        with stopping() as signals, watched_for_blocking(asyncio.get_running_loop()):
            return await life(signals)
    except Stopped:
        logger.info("stopped before the bot began", extra={"action": "stopped"})
        return 0
    except SecondSignal:
        logger.error(  # noqa: TRY400  a signal, no fault: there is no traceback worth showing
            "[ERROR] stopped at once: what was on its way is asked about at the next start",
            extra={"action": "stopped_at_once"},
        )
        return FAILED


async def _run(
    settings: Settings,
    log: Log,
    app: AnyApp | None,
    signals: Signals,
    once_it_runs: Callable[[], None] = lambda: None,
) -> int:
    async with log.settling(SystemClock()):
        return await run_one(Start(settings, log, app, signals, once_it_runs))


async def _on_sandbox(args: argparse.Namespace, app: AnyApp | None, signals: Signals) -> int:
    async with open_embedded_sandbox(environ=os.environ) as (sandbox, settings):
        log = set_up_logs(args, settings)
        more = {"action": "sandbox", "chat_url": settings.chat_url}
        logger.info("on the sandbox at %s: nothing live is touched", settings.chat_url, extra=more)
        await sandbox.users.add(_GUEST, uid=_GUEST).join()
        control = sandbox.control_url
        words = f'curl -sS {control}/users/{_GUEST}/say -d \'{{"text": "/uptime"}}\''

        def invite() -> None:
            more = {"action": "sandbox", "control_url": control}
            logger.info("the room, and all that can be done in it, is a page: %s/", control, extra=more)
            logger.info("to talk to the bot from a second terminal: %s", words, extra=more)

        return await _run(settings, log, app, signals, invite)


# -- several bots


async def _run_several(bots: Sequence[_Named], log: Log, signals: Signals) -> int:
    """Run bots beside each other until all have ended; none ends for another's sake."""
    endings = [_Ending() for _ in bots]
    async with log.settling(SystemClock()):
        lives: list[asyncio.Task[int]] = []
        for bot, ending in zip(bots, endings, strict=True):
            with about(Whose(bot.name, bot.settings.room_uuid)):  # a task has the context of its start
                life = _one_of_several(bot, Start(bot.settings, log, bot.app, ending, name=bot.name))
                lives.append(asyncio.create_task(life, name=f"hangbot-{bot.name}"))

        def stop() -> None:
            for each, ending in zip(lives, endings, strict=True):
                if ending.stop:
                    ending.stop()
                else:
                    each.cancel()

        signals.stop = stop
        try:
            codes = [await ended for ended in asyncio.as_completed(lives)]
        finally:
            for each in lives:
                each.cancel()
            await asyncio.gather(*lives, return_exceptions=True)
    *earlier, last = codes
    return worst(*(code for code in earlier if code != PUT_OUT), last)


async def _one_of_several(bot: _Named, start: Start) -> int:
    """Run one of several bots, and return its exit code; what ends it ends no other."""
    try:
        code = await run_one(start)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or start.ending.stop:
            raise
        logger.info("stopped before the bot began", extra={"action": "stopped"})
        return 0
    except Exception as exc:
        known = explained(exc)
        if known is None:
            more = {"action": "bot_failed"}
            logger.exception("[ERROR] the bot ended by a fault of hangbot itself", extra=more)
            return FAILED
        report(f"{bot.name}: {str(known).rstrip('.')}. {known.remedy}")
        code = known.exit_code
    logger.info(
        "this bot has ended with %d; the others go on", code, extra={"action": "bot_ended", "code": code}
    )
    return code
