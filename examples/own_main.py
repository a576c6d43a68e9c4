"""A program of your own around the bot: configuration, preflight, signals, exit codes. python own_main.py"""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from hangbot import (
    Bot,
    ChatMessage,
    HangbotError,
    Settings,
    examine,
    exclusive_soon,
    open_bot,
    open_outbox,
    open_subject,
    overall,
)

logger = logging.getLogger("own_main")


async def on_message(_bot: Bot, message: ChatMessage) -> None:
    """Answer /ping; a message's fields stand in docs/orchestrator-integration.md."""
    if message.text == "/ping":
        await message.reply("pong")  # one answer a message, over restarts too


async def preflight(settings: Settings) -> bool:
    """Ask what `hangbot preflight` asks; only a rejection keeps the bot from starting."""
    async with open_subject(settings) as subject:
        results = [result async for result in examine(subject)]
    for result in results:
        if result.verdict not in {"ok", "skipped"}:
            logger.warning("%s: %s -> %s", result.title, result.message, result.remedy)
    return overall(results) != "not_ready"


async def main() -> int:
    """Run until SIGTERM or SIGINT: the first lets what is on its way be finished."""
    loop, this = asyncio.get_running_loop(), asyncio.current_task()
    assert this is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, this.cancel)  # until there is a bot to stop
    settings = Settings.load(Path("hang-fm-config.env"), os.environ, required=False)
    if not await preflight(settings):
        return 1
    # The right to deliver comes first and goes last: two that deliver from one outbox would say things twice.
    async with (
        exclusive_soon(settings.outbox, within=60),
        open_outbox(settings, check=True) as outbox,
        open_bot(settings, outbox, app=on_message) as bot,
    ):
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, bot.stop)
        logger.info("running in %s", settings.room_uuid)
        await bot.run()
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        sys.exit(asyncio.run(main()))
    except asyncio.CancelledError:
        sys.exit(0)  # stopped before the bot began
    except HangbotError as error:
        sys.stderr.write(f"{error}\n-> {error.remedy}\n")
        sys.exit(error.exit_code)
