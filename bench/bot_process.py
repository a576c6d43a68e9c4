"""Bots to measure, all in this process: ``python -m bench.bot_process``."""

import asyncio
import threading
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from bench import usage
from bench.lines import answer_lines
from bench.switched import SwitchedConnection, switch
from hangbot import Bot, ChatMessage, Settings
from hangbot.clock import SystemClock
from hangbot.delivery.outbox import Outbox
from hangbot.factory import open_bot, open_outbox
from hangbot.hangfm import socket
from hangbot.hangfm.network import NETWORK, Network
from hangbot.journal import Journal
from hangbot.logs import Recent
from hangbot.ops import Deliveries, Shown, open_port
from hangbot.status import open_status

__all__: list[str] = []

_JOURNAL: Final = "BENCH_JOURNAL"
"""In a bot's environment: whether it keeps a journal, which can be switched off."""

_FILES: Final = Path("/proc/self/fd")
_AT_ONCE: Final = 10


async def _answer(_: Bot, message: ChatMessage) -> None:
    if message.text and message.text.startswith("ask"):
        await message.reply(f"re {message.text}")


class _Bots:
    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._journals: list[Journal] = []

    async def handle(self, request: dict[str, Any]) -> object:
        """Answer one request of the parent."""
        match request["do"]:
            case "open":
                return await self._open(request["envs"])
            case "journal":
                for journal in self._journals:
                    switch(journal, on=request["on"])
                return None
            case "usage":
                return {
                    "resident_mb": usage.resident_mb(),
                    "cpu_s": usage.cpu_s(),
                    "threads": threading.active_count(),
                    "files": len(list(_FILES.iterdir())) if _FILES.exists() else 0,
                }
        raise ValueError(f"no such request: {request}")

    async def _open(self, envs: list[dict[str, str]]) -> list[str | None]:
        """Run a bot for each environment; return the status ports when all read the chat."""
        some = asyncio.Semaphore(_AT_ONCE)

        async def start(env: dict[str, str]) -> str | None:
            async with some:
                settings = Settings.from_env(env)
                deliveries = Deliveries()
                outbox = await self._stack.enter_async_context(open_outbox(settings))
                network = NETWORK
                if env.get(_JOURNAL):
                    self._stack.enter_context(patch.object(socket, "KeptConnection", SwitchedConnection))
                    self._journals.append(Journal(asyncio.get_running_loop().time))
                    network = Network(journal=self._journals[-1])
                if len(envs) > 1:
                    network = network.paced(SystemClock())
                bot = await self._stack.enter_async_context(
                    open_bot(settings, outbox, app=_answer, notify=deliveries.step, network=network)
                )
                url = await self._open_port(settings, bot, outbox, deliveries)
                running = asyncio.create_task(bot.run(), name="bench-bot")

                async def end() -> None:
                    bot.stop()
                    await running

                self._stack.push_async_callback(end)
                await bot.ready()
                return url

        return await asyncio.gather(*map(start, envs))

    async def _open_port(
        self, settings: Settings, bot: Bot, outbox: Outbox, deliveries: Deliveries
    ) -> str | None:
        if settings.status_port is None:
            return None
        clock = SystemClock()
        status = await self._stack.enter_async_context(
            open_status(settings, bot, outbox.place, clock=clock, version="bench")
        )
        shown = Shown(bot, outbox, status, deliveries, Recent())
        return await self._stack.enter_async_context(
            open_port(settings, shown, clock=clock, on_token=lambda *_: None)
        )


async def _main() -> None:
    async with AsyncExitStack() as stack:
        await answer_lines(_Bots(stack).handle)


if __name__ == "__main__":
    asyncio.run(_main())
