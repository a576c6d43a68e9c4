"""The chat token: exchanged when there is none, and once more when it has died."""

import asyncio
from collections.abc import Awaitable, Callable

from hangbot.errors import Refused, ServiceError, TokenRejected, Unreachable

__all__ = ["ChatToken"]


class ChatToken:
    """One token for all calls of a client.

    Args:
        exchange: Exchanges a new token at the gateway. Raises `ServiceError`.
        value: The token to begin with, or ``None`` to exchange one at the first call.
    """

    def __init__(self, exchange: Callable[[], Awaitable[str]], value: str | None = None) -> None:
        self.value = value
        self.generation = 0
        """How many exchanges there were, successful or not."""
        self._exchange = exchange
        self._exchanging = asyncio.Lock()
        self._last: str | ServiceError = ""

    async def refresh(self, seen: int) -> str:
        """Exchange a token, once however many calls found the old one dead.

        Args:
            seen: `generation` when the call took its token: a later exchange, successful or not, serves
                this call as well.

        Raises:
            TokenRejected: The gateway refused the exchange, in its own words.
            ServiceError: `Unreachable` where the exchange has no answer: the request that needs the token
                was then not sent.
        """
        async with self._exchanging:
            if self.generation == seen:
                self._last = await self._try_exchange()
                self.generation += 1
            if isinstance(self._last, ServiceError):
                raise self._last
            return self._last

    async def _try_exchange(self) -> str | ServiceError:
        try:
            self.value = await self._exchange()
        except TokenRejected as exc:
            return exc
        except ServiceError as exc:
            refused = isinstance(exc, Refused)  # never final for the request that needs the token
            if not (refused or exc.ambiguous):
                return exc
            return (TokenRejected if refused else Unreachable)(
                f"no chat token: {exc}",
                service=exc.service,
                status=exc.status,
                retry_after=exc.retry_after,
                remedy=exc.remedy,
            )
        return self.value
