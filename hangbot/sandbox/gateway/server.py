"""The gateway's requests, read from the wire and answered."""

from functools import partial

from hangbot.sandbox.chat.request import is_preflight, journal_row, read_body
from hangbot.sandbox.exchange import HandlerResult, HttpExchange
from hangbot.sandbox.gateway.call import GatewayCall, gateway_point, gateway_segments
from hangbot.sandbox.gateway.routes import Gateway
from hangbot.sandbox.hosts import direct_service
from hangbot.web.http import Request, Response

__all__ = ["GatewayService"]


class GatewayService:
    """Answers requests to the gateway.

    Args:
        api: The gateway's calls.
        exchange: Takes requests through faults and journal.
    """

    def __init__(self, api: Gateway, exchange: HttpExchange) -> None:
        self.api = api
        self._exchange = exchange

    async def handle(self, request: Request) -> Response | None:
        """Answer a request."""
        if is_preflight(request):
            return self._exchange.allow(request)
        path, _, query = request.target.partition("?")
        segments = gateway_segments(path, direct_service(request.host))
        body, unreadable = read_body(request)
        authorization = request.headers.get("Authorization", "")
        call = GatewayCall(request.method, segments, query, authorization, None if unreadable else body)

        def answer() -> HandlerResult:
            made = self.api.answer(call)
            return HandlerResult(made.status, made.body, unknown_route=made.unknown_route, uid=made.uid)

        return await self._exchange.handle(
            request,
            point=gateway_point(segments),
            seen=partial(journal_row, request, body, unreadable),
            handler=answer,
        )
