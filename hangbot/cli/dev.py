"""``hangbot run --dev``: a bot on a sandbox of its own, started again whenever its code changes."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from hangbot.cli.context import OF_A_ROOM
from hangbot.cli.marked_file import MarkedFile
from hangbot.cli.output import report
from hangbot.cli.sandbox_env import MARK, kept_identity, render
from hangbot.cli.signals import SecondSignal, stopping
from hangbot.clock import SystemClock
from hangbot.errors import UsageError
from hangbot.exit_codes import FAILED
from hangbot.tied import tied

__all__ = ["run_dev"]

logger = logging.getLogger("hangbot")

_FILE: Final = Path(".hangbot-dev.env")
"""The configuration of the bot in that sandbox; its outbox, beside it, is kept from one time to the next."""
_GUEST: Final = "you"
_WATCHED: Final = (".py", ".toml")
_ENDS_WITHIN: Final = 15.0


async def run_dev(args: argparse.Namespace) -> int:
    """Run until a signal; raises `UsageError` where what watches files is not installed."""
    changes = _changes(Path.cwd())
    stop = asyncio.Event()
    try:
        with stopping(stop.set):
            async with _sandbox():
                await _run_again_and_again(args, changes, stop)
    except SecondSignal:
        return FAILED
    return 0


def _changes(folder: Path) -> AsyncIterator[object]:
    """Return what gives something whenever a file of the bot has changed."""
    try:
        from watchfiles import Change, DefaultFilter, awatch  # noqa: PLC0415  of an extra
    except ModuleNotFoundError:
        raise UsageError(
            "--dev needs watchfiles, which sees files change", remedy='Run `pip install "hangbot[reload]"`.'
        ) from None

    class Watched(DefaultFilter):
        def __call__(self, change: Change, path: str) -> bool:
            return path.endswith(_WATCHED) and super().__call__(change, path)

    return awatch(folder, watch_filter=Watched())


@asynccontextmanager
async def _sandbox() -> AsyncIterator[None]:
    """Open a sandbox, with its configuration in the working directory."""
    from hangbot.sandbox import open_sandbox  # noqa: PLC0415  only the commands that use it pay for it

    with MarkedFile(_FILE, MARK, "--dev") as file:
        earlier = _FILE if file.earlier() else None
        async with open_sandbox(identity=kept_identity(_FILE) if earlier else None) as sandbox:
            file.write(render(sandbox, earlier))
            await sandbox.users.add(_GUEST, uid=_GUEST).join()
            report(f"the room, and all that can be done in it, is a page: {sandbox.control_url}/")
            yield


async def _run_again_and_again(
    args: argparse.Namespace, changes: AsyncIterator[object], stop: asyncio.Event
) -> None:
    argv = [sys.executable, "-m", "hangbot", "run", "--env-file", str(_FILE)]
    argv += [word for app in args.app or () for word in ("--app", app)]
    argv += ["--log-format", args.log_format, "--log-level", args.log_level]
    environ = {name: value for name, value in os.environ.items() if name not in OF_A_ROOM}
    stopped = asyncio.create_task(stop.wait(), name="hangbot-dev-stop")
    changed = asyncio.ensure_future(anext(changes))
    try:
        while not stopped.done():
            bot = await asyncio.create_subprocess_exec(
                *tied(argv, signal.SIGTERM), env=environ, start_new_session=True
            )
            ended = asyncio.create_task(bot.wait(), name="hangbot-dev-bot")
            await asyncio.wait({stopped, changed, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done() and not changed.done():
                report(f"the bot has ended with {bot.returncode}; it starts again when a file changes")
                await asyncio.wait({stopped, changed}, return_when=asyncio.FIRST_COMPLETED)
            await _end(bot, ended)
            if changed.done():
                changed.result()
                changed = asyncio.ensure_future(anext(changes))
                report("a file has changed: the bot starts again")
    finally:
        for task in (stopped, changed):
            task.cancel()
        await asyncio.gather(stopped, changed, return_exceptions=True)
        with suppress(RuntimeError):  # it was stopped while it waited
            await changes.aclose()  # type: ignore[attr-defined]  # an async generator


async def _end(bot: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    """Stop a bot in order; where that takes too long, at once."""
    with suppress(ProcessLookupError):
        bot.terminate()
    try:
        await SystemClock().wait_for(asyncio.shield(ended), _ENDS_WITHIN)
    except TimeoutError:
        with suppress(ProcessLookupError):
            bot.kill()
        await ended
