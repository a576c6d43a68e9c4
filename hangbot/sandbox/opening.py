"""Opening a sandbox: everything that listens, and everything that is closed again."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from hangbot.sandbox.chat.dialects import DIALECTS, Dialect
from hangbot.sandbox.chat.request import LARGEST_BODY
from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.control import LARGEST_COMMAND, control_api
from hangbot.sandbox.gateway.call import is_for_gateway
from hangbot.sandbox.hosts import service_of
from hangbot.sandbox.ids import Ids, Rng
from hangbot.sandbox.journal import Event
from hangbot.sandbox.people import Identity
from hangbot.sandbox.record import recorded
from hangbot.sandbox.room.handshake import LARGEST_REQUEST
from hangbot.sandbox.room.variants import RoomVariants
from hangbot.sandbox.sandbox import Sandbox
from hangbot.sandbox.services import SERVICES, ServiceName
from hangbot.web.listen import HOST

__all__ = ["open_sandbox"]

ROOM_SLUG: Final = "sandbox"


@contextlib.asynccontextmanager
async def open_sandbox(  # noqa: PLR0913  the options of the command, all by name and optional
    *,
    dialect: str | Dialect = "openchat",
    room_port: int = 0,
    http_port: int = 0,
    control_port: int = 0,
    history: int = 1000,
    tls: ssl.SSLContext | None = None,
    by_host: bool = False,
    host: str = HOST,
    record: str | Path | None = None,
    on_event: Callable[[Event], object] | None = None,
    room_slug: str = ROOM_SLUG,
    control: bool = True,
    variants: RoomVariants | None = None,
    identity: Identity | None = None,
    clock: SandboxClock | None = None,
    rng: Rng | None = None,
) -> AsyncIterator[Sandbox]:
    """Hang.fm on 127.0.0.1 for as long as the block lasts.

    Args:
        dialect: ``openchat``, ``cometchat`` or ``srechat``; or a ``Dialect``, for what is unknown of
            the chat: ``replace(OPENCHAT, rules=replace(OPENCHAT.rules, public_reads=False))``.
        room_port: Port of the room socket, 0 = chosen by the kernel.
        http_port: Port of chat and gateway.
        control_port: Port of the control API.
        history: Chat messages kept per conversation.
        tls: Server context for room, chat and gateway (``https``, ``wss``), or ``None``.
        by_host: Whether all three are on ``http_port``, selected by the ``Host`` of a request: for
            clients to which Hang.fm's names lead here.
        host: Address of loopback on which everything listens.
        record: File that keeps the whole journal, one JSON object a line, or ``None``.
        on_event: Given each event of the journal as it happens, or ``None``; not together with ``record``.
        room_slug: Slug of the bot's room.
        control: Whether to open the control API.
        variants: What is unknown of the room socket, settled.
        identity: The bot and the room of an earlier sandbox, or ``None`` for new ones.
        clock: The sandbox's own clock, or ``None`` for one that begins now.
        rng: Where its ids and tokens come from: the same seed makes the same ones.

    Raises:
        HangbotError: A port is taken.
        ValueError: No such dialect.
        UsageError: Where the record is to be is another file.
        OSError: The record cannot be written, or at the end: was not written whole.
    """
    if isinstance(dialect, str) and dialect not in DIALECTS:
        raise ValueError(f"no such dialect: {dialect!r}; there are {', '.join(sorted(DIALECTS))}")
    async with contextlib.AsyncExitStack() as stack:
        if record is not None:
            on_event = stack.enter_context(recorded(Path(record)))
        sandbox = Sandbox(
            dialect=dialect,
            history=history,
            room_slug=room_slug,
            secure=tls is not None,
            host=host,
            variants=variants or RoomVariants(),
            identity=identity,
            on_event=on_event,
            clock=clock,
            ids=Ids(rng),
        )
        stack.callback(sandbox.clock.close)
        stack.callback(sandbox.server.close)
        stack.push_async_callback(sandbox.services.close)
        stack.callback(sandbox.chat.close)
        sandbox.server.open()
        listen = sandbox.services.open
        if by_host:
            await listen(SERVICES, service_of, http_port, tls, largest_body=LARGEST_BODY)
        else:
            await listen(["room"], _room, room_port, tls, largest_body=LARGEST_REQUEST)
            await listen(["chat", "gateway"], _chat_or_gateway, http_port, tls, largest_body=LARGEST_BODY)
        if control:
            await sandbox.services.open_control(
                control_api(sandbox), control_port, largest_body=LARGEST_COMMAND
            )
        yield sandbox


def _room(_host: str, _path: str) -> ServiceName:
    return "room"


def _chat_or_gateway(_host: str, path: str) -> ServiceName:
    return "gateway" if is_for_gateway(path) else "chat"
