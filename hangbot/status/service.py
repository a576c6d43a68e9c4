"""All that says how a running bot is, opened and closed together."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from hangbot.bot.bot import Bot
from hangbot.clock import Clock
from hangbot.config import Settings
from hangbot.delivery.place import OutboxPlace
from hangbot.errors import OutboxError
from hangbot.health import Health
from hangbot.journal import SILENT, Journal, rows
from hangbot.logs import Recent
from hangbot.redact import Redactor
from hangbot.status.local import listening, socket_path
from hangbot.status.pages import JOURNAL, LARGEST_BODY, LOG, MOST_CONNECTIONS, SWEEP_EVERY, Pages
from hangbot.status.report import Identity, summary, to_row
from hangbot.status.systemd import Systemd
from hangbot.status.watch import Watch
from hangbot.web.server import HttpServer

__all__ = ["Status", "open_health_port", "open_status"]

logger = logging.getLogger(__name__)

_TASK_FAILED: Final = {"action": "task_failed"}

_PROBE_EVERY: Final = 1.0


@dataclass(slots=True)
class Status:
    """How a bot is that runs here.

    Attributes:
        row: Returns that as the row of `hangbot.status.report.to_row`.
        say_stopping: Notifies systemd that the bot begins to stop.
        answer: Returns what is answered to a target of the socket beside the outbox; ``None``: nothing.
        is_stopping: Whether it has.
    """

    row: Callable[[], Mapping[str, Any]]
    say_stopping: Callable[[], None]
    answer: Callable[[str], Awaitable[bytes | None]]
    is_stopping: bool = False

    def stopping(self) -> None:
        """Note that the bot begins to stop."""
        self.is_stopping = True
        self.say_stopping()


@asynccontextmanager
async def open_status(  # noqa: PLR0913  what it says, and where
    settings: Settings,
    bot: Bot,
    place: OutboxPlace,
    *,
    clock: Clock,
    version: str,
    journal: Journal = SILENT,
    recent: Recent | None = None,
    environ: Mapping[str, str] = os.environ,
    is_local: bool = True,
) -> AsyncIterator[Status]:
    """Answer on the socket beside the outbox, and notify systemd, while the block runs.

    Args:
        settings: The outbox, and secrets.
        bot: The bot.
        place: Its outbox's, which the caller holds.
        clock: Measures and waits.
        version: That of hangbot.
        journal: What it said and heard, to be read over the socket beside the outbox.
        recent: Its last lines of the log, likewise.
        environ: What systemd named.
        is_local: Whether there is such a socket.
    """
    hide = Redactor(settings.secrets()).text
    pid = os.getpid()
    who = Identity(version, pid, settings.room_uuid, settings.bot_name, bot.started_at)
    systemd = Systemd(environ, pid)

    def current() -> Mapping[str, Any]:
        return to_row(bot.health(), who, wall=clock.wall(), hide=hide)

    def seen(health: Health) -> None:
        if not systemd.listens:
            return  # it is looked at each second, and to mask all that it says takes time
        row = to_row(health, who, wall=clock.wall(), hide=hide)
        systemd.update(clock.now(), live=health.live, ready=health.ready, status=summary(row))

    async with AsyncExitStack() as stack:
        more: dict[str, Callable[[], Awaitable[bytes]]] = {
            JOURNAL: partial(_journal, journal, settings, clock),
            LOG: partial(_log, recent or Recent()),
        }
        pages = Pages(current, bot.look, more)
        if is_local:
            await stack.enter_async_context(_answering(pages, socket_path(settings.outbox), clock))
        names = {
            "BOT_USER_TOKEN": settings.bot_user_token.get_secret_value(),
            "TTFM_API_TOKEN": settings.ttfm_api_token.get_secret_value(),
        }
        watch = Watch(
            bot.health,
            conditions=bot.conditions,
            clock=clock,
            tokens=names.items(),
            seen=seen,
            every=systemd.every,
        )
        tasks = [
            asyncio.create_task(watch.run(), name="hangbot-watch"),
            asyncio.create_task(_probe(place, clock), name="hangbot-status-outbox"),
        ]
        try:
            yield Status(current, systemd.stopping, pages.body)
        finally:
            await _end(tasks)


@asynccontextmanager
async def _answering(pages: Pages, path: Path, clock: Clock) -> AsyncIterator[None]:
    """Answer on a socket, where there can be one."""
    with listening(path) as opens:
        server = _server(pages, clock, opens=opens)
        try:
            await server.listen()
        except OSError as exc:
            words = "`hangbot status` cannot reach this bot: no socket %s (%s). Set HANGBOT_STATUS_PORT"
            logger.warning(words, path, exc.strerror or exc, extra={"action": "status_socket"})
        sweeping = asyncio.create_task(_sweep(server, clock), name="hangbot-status-sweep")
        try:
            yield
        finally:
            await _end([sweeping])
            await server.close()


@asynccontextmanager
async def open_health_port(
    host: str, port: int, row: Callable[[], Mapping[str, Any]], *, clock: Clock
) -> AsyncIterator[int]:
    """Answer on an address what a row of health says, and nothing else, while the block runs; yield the port.

    Raises:
        HangbotError: The port cannot be had.
    """
    server = _server(Pages(row), clock, port=port, host=host)
    try:
        await server.listen()
        sweeping = asyncio.create_task(_sweep(server, clock), name="hangbot-health-sweep")
        try:
            yield server.port
        finally:
            await _end([sweeping])
    finally:
        await server.close()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            logger.error("[ERROR] a task of the status failed", exc_info=result, extra=_TASK_FAILED)


async def _log(recent: Recent) -> bytes:
    """Return the last lines of the log as lines of JSON; they are masked already."""
    lines = (json.dumps(line._asdict(), ensure_ascii=False) for line in recent.lines())
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _journal(journal: Journal, settings: Settings, clock: Clock) -> Awaitable[bytes]:
    """Return the journal as lines of JSON, written in a thread: to mask all of it takes a second."""
    excerpt, redactor, wall = journal.read(), Redactor(settings.secrets()), clock.wall()

    def write() -> bytes:
        lines = (json.dumps(row, ensure_ascii=False) for row in rows(excerpt, redactor, wall=wall))
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")

    return asyncio.to_thread(write)


async def _probe(place: OutboxPlace, clock: Clock) -> None:
    """Find out again and again whether the outbox can be written, until it never can be."""
    with suppress(OutboxError):  # a message that is written meets that as well, and the bot ends
        while True:
            await place.probe()
            await clock.sleep(_PROBE_EVERY)


async def _sweep(server: HttpServer, clock: Clock) -> None:
    while True:
        await clock.sleep(SWEEP_EVERY)
        server.sweep()


def _server(pages: Pages, clock: Clock, *, port: int = 0, host: str = "", opens: Any = None) -> HttpServer:  # noqa: ANN401
    return HttpServer(
        pages.handle,
        port,
        largest_body=LARGEST_BODY,
        now_s=clock.wall,
        most=MOST_CONNECTIONS,
        host=host,
        open_server=opens,
    )
