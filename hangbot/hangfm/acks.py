"""Acknowledgements: which actions of a connection wait for an answer, and what each answer means."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from websockets.exceptions import ConnectionClosed

from hangbot.bot.ports import Disconnect
from hangbot.clock import Clock
from hangbot.errors import (
    AckTimeout,
    ConnectionLost,
    RateLimited,
    Refused,
    RemovedFromRoom,
    ServiceError,
    Unavailable,
)
from hangbot.hangfm.socket import Connection
from hangbot.hangfm.wire.frames import Reply, encode_action
from hangbot.text import quote_server_text

__all__ = ["PendingActions", "disconnect_error", "read_reply"]

_TOO_MANY: Final = "you have too many pending requests"
_SHUTTING_DOWN: Final = "the server is shutting down"


class PendingActions:
    """The actions of one connection that were sent and not answered.

    Args:
        connection: The open websocket.
        clock: Bounds every wait.
        timeout: Seconds until an action counts as unanswered.
    """

    def __init__(self, connection: Connection, clock: Clock, timeout: float) -> None:
        self._connection = connection
        self._clock = clock
        self._timeout = timeout
        self._last_id = 0
        self._joins: set[object] = set()
        self._waiting: dict[object, asyncio.Future[Reply]] = {}

    async def request(self, action: str, params: Mapping[str, object]) -> Reply:
        """Send an action once and return its answer.

        Raises:
            UsageError: A parameter is none that JSON can hold.
            AckTimeout: No answer in time; it may have been carried out.
            ConnectionLost: The connection went; it may have been carried out.
        """
        self._last_id += 1
        key = self._last_id
        if action == "joinRoom":
            self._joins.add(key)
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[key] = answered
        try:
            frame = encode_action(action, params, key)
            # Sending is bounded as well: a server that does not read makes it wait.
            return await self._clock.wait_for(self._exchange(frame, answered), self._timeout)
        except TimeoutError:
            words = f"no acknowledgement of {action} from the room in {self._timeout:g} s"
            raise AckTimeout(words, service="room") from None
        except ConnectionClosed:
            words = f"the room connection went while {action} was sent"
            raise ConnectionLost(words, service="room") from None
        finally:
            del self._waiting[key]
            if not answered.cancel() and not answered.cancelled():
                answered.exception()  # retrieved, also where sending failed first

    async def ping_and_wait(self) -> None:
        """Return when the server has read everything sent so far: only then does it answer this ping.

        A ping of the WebSocket's own, which the server's library answers in order (captured from
        ActionHero 29.3.5, and read in the source of its library).

        Raises:
            AckTimeout: No answer in time.
            ConnectionLost: The connection went.
        """
        try:
            await self._clock.wait_for(self._ping(), self._timeout)
        except TimeoutError:
            words = f"the room does not answer a ping in {self._timeout:g} s"
            raise AckTimeout(words, service="room") from None
        except ConnectionClosed:
            words = "the room connection went before it answered a ping"
            raise ConnectionLost(words, service="room") from None

    def answers_join(self, reply: Reply) -> bool:
        """Return whether a reply is the first one to a join, however late it comes."""
        if _id_of(reply) not in self._joins:
            return False
        self._joins.remove(reply.message_id)
        return True

    def resolve(self, reply: Reply) -> None:
        """Resolve the pending action with this id. A late or duplicate reply finds none and is dropped."""
        answered = self._waiting.get(_id_of(reply))
        if answered is not None and not answered.done():
            answered.set_result(reply)

    def fail_all(self, ended: Disconnect) -> None:
        """Fail every action that still waits."""
        for answered in self._waiting.values():
            if not answered.done():
                answered.set_exception(disconnect_error(ended))

    async def _exchange(self, frame: str, answered: asyncio.Future[Reply]) -> Reply:
        await self._connection.send(frame)
        return await answered

    async def _ping(self) -> None:
        await (await self._connection.ping())


def _id_of(reply: Reply) -> int | None:
    """Return the id of a reply as this side gave it: a whole number, and neither ``true`` nor ``1.0``."""
    return reply.message_id if type(reply.message_id) is int else None


def read_reply(action: str, reply: Reply) -> Mapping[str, Any]:
    """Return the fields of an answer.

    Raises:
        Refused: The server's own words say why.
        RateLimited: Too many actions were pending.
        Unavailable: The server is about to end.
    """
    if reply.error is None:
        return reply.fields
    if reply.error == _TOO_MANY:
        raise RateLimited(
            f"the room put off {action} ({reply.error})",
            service="room",
            remedy="Wait: another program may act for the same bot.",
        )
    if reply.error == _SHUTTING_DOWN:
        raise Unavailable(f"the room puts off {action} ({reply.error})", service="room")
    raise Refused(f"the room refused {action} ({quote_server_text(reply.error)})", service="room")


def disconnect_error(ended: Disconnect) -> ServiceError:
    """Return what the end of a connection means for whatever waits on it."""
    if ended.reason == "kicked":
        return RemovedFromRoom("the bot was kicked from the room", service="room")
    detail = f" ({ended.detail})" if ended.detail else ""
    return ConnectionLost(f"the room connection ended: {ended.reason}{detail}", service="room")
