"""How many requests a minute a chat server takes.

PURE.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hangbot.sandbox.chat.call import Answer
from hangbot.sandbox.chat.dialects import Dialect
from hangbot.sandbox.chat.rules import ChatRefusal

__all__ = ["RateLimit", "RateLimiter"]

TOO_MANY: Final = 429


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A limit by the minute of the sandbox's clock.

    CometChat's limit is documented (headers and 429); OpenChat has none of its own, so there
    it acts like a proxy in front: 429 with HTML.
    """

    per_minute: int
    retry_after: str | None = "15"
    """The header's value as it is sent: seconds, a date, nonsense; None leaves it out."""


class RateLimiter:
    """Counts requests; off while `limit` is None."""

    def __init__(self, dialect: Dialect) -> None:
        self.limit: RateLimit | None = None
        self._dialect = dialect
        self._minute, self._used = 0, 0

    def reset(self) -> None:
        """Begin a new minute."""
        self._minute, self._used = 0, 0

    def count(self, now: int) -> tuple[Mapping[str, str], Answer | None]:
        """Count one request: headers for its answer, and the refusal if it was one too many."""
        limit = self.limit
        if limit is None:
            return {}, None
        if now // 60 != self._minute:
            self._minute, self._used = now // 60, 0
        self._used += 1
        left = limit.per_minute - self._used
        headers = {"X-Rate-Limit": str(limit.per_minute), "X-Rate-Limit-Remaining": str(max(0, left))}
        if self._dialect.name == "openchat":
            headers = {}
        if left >= 0:
            return headers, None
        if limit.retry_after is not None:
            headers["Retry-After"] = limit.retry_after
        if self._dialect.name == "openchat":
            page = "<html><body><h1>429 Too Many Requests</h1></body></html>"
            return {"Content-Type": "text/html", **headers}, Answer(TOO_MANY, page)
        headers["X-Rate-Limit-Reset"] = str((self._minute + 1) * 60)
        status, body = self._dialect.refusal(ChatRefusal("too_many_requests"))
        return headers, Answer(status, body)
