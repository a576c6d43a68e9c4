"""The chat's real-time connection: rows as they are written, to a bot that has said who it is.

Nothing is sent over it but who the bot is, and pings: sending is always HTTP. A server replays nothing,
so a client that opens a connection reads in the history what was said in between.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from websockets.exceptions import ConnectionClosed

from hangbot.bot.events import ChatMessage
from hangbot.bot.ports import Disconnect, Unreadable
from hangbot.clock import Clock
from hangbot.errors import ConnectionLost, TokenRejected, Unavailable
from hangbot.hangfm.chat import ChatClient
from hangbot.hangfm.network import NETWORK, Network
from hangbot.hangfm.socket import Connection, Server, close_code, connect_websocket
from hangbot.hangfm.wire import chat_socket as wire
from hangbot.hangfm.wire.chat_socket import AuthAccepted, AuthRefused, OtherFrame
from hangbot.text import text_or_none

__all__ = ["ChatSocket", "open_chat_socket"]

logger = logging.getLogger(__name__)

_TASK_FAILED: Final = {"action": "task_failed"}

PING_EVERY: Final = 15.0
"""Seconds, as the JavaScript SDK 4.2.0 does it (captured); it waits 3 s for the answer, a bot longer."""
SILENT_AFTER: Final = 10.0
"""Seconds after a ping without any frame until the connection counts as dead."""
AUTH_WITHIN: Final = 10.0
"""Seconds: a server that does not like a token may say nothing (seen by a public bot on CometChat)."""
_MOST_WAITING: Final = 256
"""Rows that wait to be read; then no more are taken from the server, which has to wait, too."""
_LARGEST_WAITING: Final = 4 * 2**20
"""Characters of such rows' frames; one frame alone may have more."""
_ROWS_A_TURN: Final = 32
"""Rows that are read before everything else has its turn: a row costs its reader some 0.1 ms."""
_MOST_UNKNOWN: Final = 20
"""Kinds of frames that are logged."""


class ChatSocket:
    """One connection, from its authentication to its end: a `hangbot.bot.ports.ChatPush`.

    Args:
        connection: The open websocket.
        clock: Bounds every wait.
    """

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._waiting: deque[tuple[ChatMessage | Unreadable, int]] = deque()
        self._waiting_size = 0
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._heard = asyncio.Event()
        self._unknown: set[str] = set()
        self.ended: asyncio.Future[Disconnect] = asyncio.get_running_loop().create_future()
        """Done when the connection has ended, with how."""

    async def authenticate(self, frame: str) -> AuthRefused | None:
        """Say who the bot is; return the refusal, if the server words one.

        Raises:
            Unavailable: The server does not answer, in time or at all.
            ConnectionLost: The connection ended before.
        """
        try:
            return await self._clock.wait_for(self._exchange(frame), AUTH_WITHIN)
        except TimeoutError:
            raise Unavailable(
                f"the chat's socket did not answer the bot's authentication in {AUTH_WITHIN:g} s",
                service="chat",
            ) from None
        except ConnectionClosed as exc:
            raise ConnectionLost(
                f"the chat's socket ended before it answered the bot's authentication ({close_code(exc)})",
                service="chat",
            ) from None

    async def _exchange(self, frame: str) -> AuthRefused | None:
        await self._connection.send(frame)
        while True:
            match wire.decode(await self._connection.recv()):
                case AuthAccepted():
                    return None
                case AuthRefused() as refused:
                    return refused

    async def rows(self) -> AsyncIterator[ChatMessage | Unreadable]:
        """Yield rows as they come, of every conversation, until the connection has ended. One reader.

        The bot's own are among them: they show that the connection forwards anything at all.
        """
        read = 0
        while True:
            while self._waiting:
                row, size = self._waiting.popleft()
                self._waiting_size -= size
                if self._takes_more():
                    self._room.set()
                yield row
                read += 1
                if read % _ROWS_A_TURN == 0:
                    await self._clock.sleep(0)
            if self.ended.done():
                return
            self._changed.clear()
            await self._changed.wait()

    def _takes_more(self) -> bool:
        return len(self._waiting) < _MOST_WAITING and self._waiting_size < _LARGEST_WAITING

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["ChatSocket"]:
        """Read frames, and watch for silence, for as long as the block runs; then close."""
        tasks = [
            asyncio.create_task(self._read(), name="hangbot-chat-socket"),
            asyncio.create_task(self._watch(), name="hangbot-chat-ping"),
        ]
        try:
            yield self
        finally:
            self._end(Disconnect("left"))
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, Exception):
                    logger.error(
                        "[ERROR] a task of the chat's socket failed", exc_info=result, extra=_TASK_FAILED
                    )

    async def _read(self) -> None:
        """Read until the end, whatever ends it: nothing else would show that nothing is read."""
        ended = Disconnect("lost", "reading it failed")
        try:
            while True:
                await self._take(await self._connection.recv())
        except ConnectionClosed as exc:
            ended = Disconnect("lost", close_code(exc))
        finally:
            self._end(ended)

    async def _take(self, text: str | bytes) -> None:
        """Take a frame; return when there is room for another."""
        frame = wire.decode(text)
        self._heard.set()
        if isinstance(frame, OtherFrame):
            self._log_unknown(frame.kind)
        if not isinstance(frame, ChatMessage | Unreadable):
            return
        self._waiting.append((frame, len(text)))
        self._waiting_size += len(text)
        self._changed.set()
        if not self._takes_more():
            self._room.clear()
            await self._room.wait()

    def _log_unknown(self, kind: str) -> None:
        """Log each kind of frame once that is not known."""
        if kind not in wire.KNOWN and kind not in self._unknown and len(self._unknown) < _MOST_UNKNOWN:
            self._unknown.add(kind)
            more = {"action": "frame_unknown"}
            logger.info(
                "[SOCKET] passed over frames of the chat's socket that are not known: %s", kind, extra=more
            )

    async def _watch(self) -> None:
        """Treat a connection on which nothing follows a ping as dead: a cut cable sends nothing."""
        while True:
            await self._clock.sleep(PING_EVERY)
            try:
                await self._clock.wait_for(self._ping(), SILENT_AFTER)
            except ConnectionClosed:
                return
            except TimeoutError:
                if self._room.is_set():  # otherwise what followed it may not have been read yet
                    self._end(Disconnect("silent", f"no answer to a ping in {SILENT_AFTER:g} s"))
                    return

    async def _ping(self) -> None:
        self._heard.clear()
        await self._connection.send(wire.PING)
        await self._heard.wait()

    def _end(self, ended: Disconnect) -> None:
        """Note that the connection has ended; only the first end counts."""
        if not self.ended.done():
            self.ended.set_result(ended)
        self._changed.set()
        self._room.set()


class _Login(NamedTuple):
    uid: str
    token: str
    url: str
    where: str
    """What errors call it: the chat's address as it is configured, or a socket's that is elsewhere."""


@asynccontextmanager
async def open_chat_socket(
    chat: ChatClient, *, app_id: str | None, within: float, clock: Clock, network: Network = NETWORK
) -> AsyncIterator[ChatSocket]:
    """Open the chat's real-time connection, and close it when the block ends.

    Args:
        chat: Whose client it is: its token opens the connection, and is exchanged once where it is refused.
        app_id: The app's id, which CometChat needs.
        within: Seconds for the connection itself.
        clock: Bounds every wait.
        network: Carries it.

    Raises:
        TokenRejected: The server refuses the bot.
        ServiceError: No connection, no answer, or no token to open it with.
    """
    generation = chat.token.generation
    login = await _log_in(chat)
    server = Server("chat", login.where, "OPENCHAT_BASE_URL")
    connection = await connect_websocket(
        login.url, server, within=within, clock=clock, journal=network.journal, dialling=network.dial
    )
    try:
        socket = ChatSocket(connection, clock)
        refused = await socket.authenticate(_auth_frame(chat, app_id, login))
        if refused:
            await chat.token.refresh(generation)
            login = await _log_in(chat)
            refused = await socket.authenticate(_auth_frame(chat, app_id, login))
        if refused:
            raise TokenRejected(
                f"the chat's socket refused the bot ({refused.code}), with a new token as well",
                service="chat",
            )
        async with socket.listening():
            yield socket
    finally:
        await connection.close()


def _auth_frame(chat: ChatClient, app_id: str | None, login: _Login) -> str:
    return wire.encode_auth(app_id=app_id, device=chat.resource, uid=login.uid, token=login.token)


async def _log_in(chat: ChatClient) -> _Login:
    """Ask for the token that opens the connection: OpenChat shows it to ``GET /me``, others to a login."""
    me = await chat.me()
    if not text_or_none(me.get("jwt")):
        body = {"platform": "WEB", "deviceId": chat.resource, "appInfo": {"userAgent": "hangbot"}}
        answer = await chat.call("PUT", "/me", what="the login for the chat's socket", body=body)
        me = {**me, **(answer if isinstance(answer, dict) else {})}
    uid, token = text_or_none(me.get("uid")) or chat.uid, text_or_none(me.get("jwt")) or chat.token.value
    if uid is None or token is None:
        raise Unavailable("the chat names no token that opens its socket (/me without a jwt)", service="chat")
    settings = me.get("settings")
    url = wire.own_host(chat.address, settings if isinstance(settings, dict) else {})
    if url is None and wire.has_own_host(chat.address):
        url = wire.own_host(chat.address, await chat.settings())
    if url is not None:
        return _Login(uid, token, url, url)
    return _Login(uid, token, wire.socket_url(chat.address), chat.address)
