"""A bot on a sandbox of its own, with its status port open."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hangbot.clock import SystemClock
from hangbot.config import Settings
from hangbot.delivery.outbox import exclusive
from hangbot.factory import open_bot, open_outbox
from hangbot.hangfm.network import Network
from hangbot.journal import Journal, unpack
from hangbot.logs import Recent
from hangbot.ops import Deliveries, Shown, open_port
from hangbot.ops.token import token_path
from hangbot.sandbox import open_sandbox
from hangbot.status import open_status
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    import aiohttp

    from hangbot import AnyApp
    from hangbot.sandbox import Sandbox

REFUSAL = {"error": {"code": "ERR_BAD_REQUEST", "message": "not in this room"}}


@dataclass(frozen=True)
class Watched:
    """A bot whose port is open."""

    sandbox: Sandbox
    settings: Settings
    shown: Shown
    url: str
    run: asyncio.Task[None] | None
    new_tokens: list[str]
    journal: Journal

    @property
    def token(self) -> str:
        return token_path(self.settings.outbox).read_text().strip()

    @property
    def mine(self) -> dict[str, str]:
        """The headers of one who has the token."""
        return {"Authorization": f"Bearer {self.token}"}

    async def fails(self, text: str) -> str:
        """Say something that the chat refuses; return its id."""
        self.sandbox.faults.add("chat.send", "status", status=400, body=REFUSAL)
        (row,) = await self.shown.bot.say(text)
        await asyncio.wait_for(self.shown.bot.settled(row.message.id), WITHIN)
        return row.message.id

    async def changes(self, number: int) -> list[tuple[object, ...]]:
        """Return what operators did, as the journal has it, when it was so much."""
        found: list[tuple[object, ...]] = []
        async with asyncio.timeout(WITHIN):
            while len(found) < number:
                await asyncio.sleep(0.01)  # there is no event for it
                found = [values for _, kind, values in unpack(self.journal.read().kept) if kind == "operator"]
        return found

    async def state(self, key: str) -> str:
        return (await self.shown.outbox.get(key)).state


@asynccontextmanager
async def watched(
    folder: Path, *, app: AnyApp | None = None, run: bool = True, env: Mapping[str, str] | None = None
) -> AsyncIterator[Watched]:
    """Open a bot and its port; it runs, unless it is not to."""
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(open_sandbox())
        own = {"HANGBOT_OUTBOX": str(folder / "outbox.sqlite3"), "HANGBOT_STATUS_PORT": "0"}
        quick = {"HANGBOT_RATE": "0", "STAGE_RETRY_BASE_MS": "50", "STAGE_RETRY_MAX_MS": "200"}
        settings = Settings.from_env(sandbox.env() | own | quick | dict(env or {}))
        outbox = await stack.enter_async_context(open_outbox(settings))
        stack.enter_context(exclusive(settings.outbox))
        deliveries, log, clock = Deliveries(), Recent(), SystemClock()
        journal = Journal(clock.now)
        bot = await stack.enter_async_context(
            open_bot(settings, outbox, app=app, notify=deliveries.step, network=Network(journal=journal))
        )
        status = await stack.enter_async_context(
            open_status(settings, bot, outbox.place, clock=clock, version="0", environ={})
        )
        shown, tokens = Shown(bot, outbox, status, deliveries, log), list[str]()
        url = await stack.enter_async_context(
            open_port(
                settings,
                shown,
                clock=clock,
                on_token=lambda token, made: tokens.append(token) if made else None,
            )
        )
        task = asyncio.create_task(bot.run(), name="bot") if run else None
        assert url
        try:
            if run:
                await asyncio.wait_for(bot.ready(), WITHIN)
            yield Watched(sandbox, settings, shown, url, task, tokens, journal)
        finally:
            bot.stop()
            if task:
                await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), WITHIN)


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield what a page is told."""
    while line := await asyncio.wait_for(answer.content.readuntil(b"\n\n"), WITHIN):
        kind, _, data = line.decode().strip().partition("\n")
        yield kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))
