"""The HTTP client that an author's handlers are given: made when one asks for it, closed with the bot."""

from typing import Final

import httpx

__all__ = ["AuthorHttp"]

_TIMEOUT: Final = 10.0


class AuthorHttp:
    """Makes one client for all handlers; it asks no service of Hang.fm.

    Attributes:
        kind: The type by which a handler asks for it.
    """

    kind: Final = httpx.AsyncClient

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None

    def client(self) -> httpx.AsyncClient:
        """Return the client; a request of it takes ten seconds at most."""
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=_TIMEOUT, headers={"User-Agent": "hangbot"})
        return self._client

    async def aclose(self) -> None:
        """Close the client, where one was made."""
        if self._client is not None:
            await self._client.aclose()
