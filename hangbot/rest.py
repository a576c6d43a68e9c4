"""One HTTP exchange, with httpx's many ways to fail told apart by what may have happened.

The only module that knows httpx's exceptions: no connection means nothing was sent, anything
later means it may have been done.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from hangbot.clock import Clock
from hangbot.errors import AckTimeout, ConfigError, ConnectionLost, Unreachable

__all__ = ["Answer", "Endpoint"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Endpoint:
    """A service's address over a borrowed client.

    Args:
        http: The client; whoever opened it closes it.
        base: Scheme, host and port, and a path where the service has one; no slash at the end.
        service: ``gateway`` or ``chat``, for the errors.
        clock: Bounds each exchange.
        timeout: Seconds until an answer counts as lost.
    """

    def __init__(
        self, http: httpx.AsyncClient, base: str, *, service: str, clock: Clock, timeout: float
    ) -> None:
        self.base = base
        self.clock = clock
        self._http = http
        self._service = service
        self._timeout = timeout

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        what: str,
        headers: Mapping[str, str],
        params: Mapping[str, str | int] | None = None,
        body: object = None,
    ) -> Answer:
        """Ask once. A request that is given up is aborted, so that it cannot complete later.

        Raises:
            Unreachable: No connection; nothing was sent.
            AckTimeout: No answer in time.
            ConnectionLost: The connection went before the answer was whole.
            ConfigError: The address is none.
        """
        send = self._http.request(method, self.base + path, params=params, json=body, headers=dict(headers))
        # Every `from None`: httpx's exceptions hold the request, and with it the tokens in its headers.
        try:
            answer = await self.clock.wait_for(send, self._timeout)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as exc:
            raise Unreachable(
                f"no connection to {self.base} for {what}: {_cause(exc)}", service=self._service
            ) from None
        except (TimeoutError, httpx.TimeoutException):
            raise AckTimeout(
                f"no answer from {self.base} to {what} in {self._timeout:g} s", service=self._service
            ) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as exc:
            raise ConfigError(f"{self.base} is no address of a {self._service} service: {exc}") from None
        except httpx.HTTPError as exc:
            raise ConnectionLost(
                f"the connection to {self.base} went while {what} was on its way: {_cause(exc)}",
                service=self._service,
            ) from None
        return Answer(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content)


def _cause(error: Exception) -> str:
    return str(error) or type(error).__name__
