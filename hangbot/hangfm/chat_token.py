"""The chat token: exchanged when there is none, and once more when it has died."""

import asyncio
from collections.abc import Awaitable, Callable

from hangbot.errors import Refused, ServiceError, TokenRejected, Unreachable

__all__ = ["ChatToken"]


class ChatToken:
    """One token for all calls of a client.

    Args:
        renew: Exchanges a new token at the gateway. Raises `ServiceError`.
        value: The token to begin with, or ``None`` to exchange one at the first call.
    """

    def __init__(self, renew: Callable[[], Awaitable[str]], value: str | None = None) -> None:
        self.value = value
        self.exchanges = 0
        """How many exchanges there were, good or bad."""
        self._renew = renew
        self._renewing = asyncio.Lock()
        self._last: str | ServiceError = ""

    async def renewed(self, known: int) -> str:
        """Exchange a token, once however many calls found the old one dead.

        Args:
            known: `exchanges` when the call took its token: a later exchange, good or bad, is
                this call's too.

        Raises:
            TokenRejected: The gateway refused the exchange, in its own words.
            ServiceError: `Unreachable` where it gave no answer to it: what the token is for was then
                not sent.
        """
        async with self._renewing:
            if self.exchanges == known:
                self._last = await self._exchange()
                self.exchanges += 1
            if isinstance(self._last, ServiceError):
                raise self._last
            return self._last

    async def _exchange(self) -> str | ServiceError:
        try:
            self.value = await self._renew()
        except TokenRejected as exc:
            return exc
        except ServiceError as exc:
            refused = isinstance(exc, Refused)  # never final for what the token is for
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
