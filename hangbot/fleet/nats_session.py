"""One connection to one NATS server, until it closes: the one place where nats-py is met.

nats-py connects again by itself, but not after every error of a server, and not past a socket that is full
towards a server that stands still. So a client here never does, and `hangbot.fleet.link` makes another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from hangbot.clock import Clock
from hangbot.config.cluster import ClusterAddress
from hangbot.fleet.jetstream import NO_MORE, NONE, STATUS, Answer, sequence_of
from hangbot.fleet.nats_words import cause_of, denied_of
from hangbot.fleet.pending import PendingAnswers
from hangbot.fleet.refusals import ClusterRefused, ClusterUnfit
from hangbot.fleet.streams import AnswerOwner, ClusterAway

if TYPE_CHECKING:
    from nats.aio.subscription import Subscription

__all__ = ["Session"]

_CONNECTING_S: Final = 1.0
_CLOSING_S: Final = 1.0
_AGAIN_S: Final = 0.1
_SILENT_S: Final = 0.3
"""After which a server does not answer, twice: this process may itself have stood still."""
_OLDEST: Final = (2, 11)
_PIECE: Final = 512 * 1024
"""Bytes in one of several messages that make an answer."""


class Session:
    """A connection that was made; its answers go to those who wait for them.

    Attributes:
        server: ``HOST:PORT``.
        inbox: The subject under which its answers come, each with a word behind it.
        gone: Set when it has closed.
    """

    def __init__(self, server: str, pending: PendingAnswers, clock: Clock) -> None:
        self.server = server
        self.inbox = ""
        self.gone = asyncio.Event()
        self._pending = pending
        self._clock = clock
        self._client = Client()
        self._said: list[Exception] = []
        self._deaf: ClusterRefused | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._pinging: asyncio.Task[float] | None = None

    async def connect(self, address: ClusterAddress, name: str) -> Self:
        """Connect within a second; where that fails, `close` is still to be called.

        Raises:
            ClusterAway: The server does not answer.
            ClusterRefused: It does not accept the login.
            ClusterUnfit: It is too old.
        """
        # In a task of its own: nats-py connects with `asyncio.wait_for`, which before Python 3.12 swallows a
        # cancellation that comes at the wrong moment, and ours are to be obeyed.
        self._connecting = asyncio.create_task(
            self._connect(address, name), name=f"connecting to {self.server}"
        )
        try:
            await self._clock.wait_for(asyncio.shield(self._connecting), _CONNECTING_S)
        except ClusterUnfit:
            raise
        except Exception as exc:  # nats-py has many, the parser's own included
            nothing_more = isinstance(exc, nats.errors.NoServersError)
            raise cause_of(self.server, self._said[-1] if self._said and nothing_more else exc) from exc
        return self

    async def _connect(self, address: ClusterAddress, name: str) -> None:
        await self._client.connect(
            [f"nats://{self.server}"],
            name=name,
            error_cb=self._on_error,
            closed_cb=self._on_closed,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=1,
            pending_size=0,  # nothing is kept for a later connection
            user=address.user or None,
            password=address.password if address.user else None,
            token=None if address.user else address.password or None,
        )
        version = self._client.connected_server_version
        if (version.major, version.minor) < _OLDEST:
            found, needed = f"{version.major}.{version.minor}", ".".join(map(str, _OLDEST))
            raise ClusterUnfit(f"NATS server {self.server} is {found}, and {needed} is needed")
        self.inbox = self._client.new_inbox()
        await self._client.subscribe(f"{self.inbox}.*", cb=self._take)

    @property
    def is_connected(self) -> bool:
        """Whether it is still there, as far as is known."""
        return self._client.is_connected

    @property
    def max_payload(self) -> int:
        """Bytes of the largest message that the server takes, headers included."""
        return self._client.max_payload

    async def publish(self, subject: str, data: bytes, word: str, headers: Mapping[str, str] | None) -> None:
        """Publish something whose answers are to come under a word, or nowhere without one.

        It is queued, and waits for nothing.

        Raises:
            ClusterAway: The connection is lost, and nothing was published.
            ClusterRefused: It is too large.
        """
        if self._deaf:
            raise self._deaf
        reply, lines = word and f"{self.inbox}.{word}", dict(headers) if headers else None
        try:
            await self._client.publish(subject, data, reply, lines)
        except nats.errors.MaxPayloadError as exc:
            problem = f"{len(data)} bytes are more than NATS server {self.server} takes in a message"
            raise ClusterRefused(problem, remedy="Raise max_payload of the NATS servers.") from exc
        except nats.errors.Error as exc:
            raise ClusterAway(f"the connection to NATS server {self.server} is lost") from exc

    async def subscribe(self, subject: str, notice: Callable[[int], None]) -> Callable[[], Awaitable[None]]:
        """Give something the sequence of each message under a subject; return what ends that.

        A connection that is lost meanwhile is no error: there is nothing to hear any more.
        """

        async def take(message: Msg) -> None:
            notice(sequence_of(message.headers or {}))

        return await self._subscribe(subject, take)

    async def _subscribe(
        self, subject: str, take: Callable[[Msg], Awaitable[None]]
    ) -> Callable[[], Awaitable[None]]:
        subscription: Subscription | None = None
        with suppress(nats.errors.Error, OSError):
            subscription = await self._client.subscribe(subject, cb=take)

        async def end() -> None:
            if subscription:
                with suppress(nats.errors.Error, OSError):
                    await subscription.unsubscribe()

        return end

    async def serve(self, subject: str, answer: AnswerOwner) -> Callable[[], Awaitable[None]]:
        """Answer what is asked under a subject, in pieces and a status; as `subscribe` otherwise."""

        async def take(message: Msg) -> None:
            said = await answer(message.data.decode("utf-8", "replace"))
            with suppress(nats.errors.Error, OSError):
                for begin in range(0, len(said or b""), _PIECE):
                    await self._client.publish(message.reply, (said or b"")[begin : begin + _PIECE])
                await self._client.publish(
                    message.reply, headers={STATUS: NO_MORE if said is not None else NONE}
                )

        return await self._subscribe(subject, take)

    async def answers(self) -> bool:
        """Return whether the server answers at all."""
        if self._pinging is None or self._pinging.done():
            self._pinging = asyncio.create_task(self._client.rtt(), name="ping of NATS")
        asked = self._pinging
        for _ in range(2):
            with suppress(TimeoutError):
                await self._clock.wait_for(asyncio.wait({asked}), _SILENT_S)
                return not asked.cancelled() and asked.exception() is None
        return False  # and is still asked: nats-py stumbles over an answer to what was cancelled

    async def close(self) -> None:
        """Close it, within a second."""
        while self._connecting and not self._connecting.done():
            self._connecting.cancel()
            with suppress(TimeoutError):
                await self._clock.wait_for(asyncio.wait({self._connecting}), _AGAIN_S)
        if self._connecting and not self._connecting.cancelled():
            self._connecting.exception()  # it was seen, or nothing waits for it any more
        with suppress(Exception):  # it is given up, whatever it says to that
            await self._clock.wait_for(self._client.close(), _CLOSING_S)
        if self._pinging:
            self._pinging.cancel()
            await asyncio.gather(self._pinging, return_exceptions=True)

    async def _take(self, message: Msg) -> None:
        self._pending.take(message.subject.rpartition(".")[2], Answer(message.headers or {}, message.data))

    async def _on_error(self, error: Exception) -> None:
        self._said.append(error)
        del self._said[:-1]
        if refused := denied_of(self.server, error):
            words = str(error).lower()  # as nats-py has them
            if self.inbox and f'"{self.inbox}.'.lower() in words:
                self._deaf = refused  # no answer can come
            self._pending.fail(
                lambda: refused,
                lambda pending: bool(self._deaf) or f'"{pending.subject}"'.lower() in words,
            )

    async def _on_closed(self) -> None:
        self.gone.set()
