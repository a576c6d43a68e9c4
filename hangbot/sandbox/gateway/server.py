"""The gateway's requests, read from the wire and answered."""

from functools import partial

from hangbot.sandbox.chat.request import Outcome, Wire, is_preflight, read_body, seen_of
from hangbot.sandbox.gateway.call import GatewayCall, gateway_point, gateway_segments
from hangbot.sandbox.gateway.routes import Gateway
from hangbot.sandbox.hosts import direct_service
from hangbot.sandbox.http import Request, Response

__all__ = ["GatewayService"]


class GatewayService:
    """Answers requests to the gateway.

    Args:
        api: The gateway's calls.
        wire: Takes requests through faults and journal.
    """

    def __init__(self, api: Gateway, wire: Wire) -> None:
        self.api = api
        self._wire = wire

    async def handle(self, request: Request) -> Response | None:
        """Answer a request."""
        if is_preflight(request):
            return self._wire.allow(request, "gateway")
        path, _, query = request.target.partition("?")
        segments = gateway_segments(path, direct_service(request.host))
        body, unreadable = read_body(request)
        authorization = request.headers.get("Authorization", "")
        call = GatewayCall(request.method, segments, query, authorization, None if unreadable else body)

        def do() -> Outcome:
            answer = self.api.answer(call)
            return Outcome(answer.status, answer.body, unknown_route=answer.unknown_route, uid=answer.uid)

        return await self._wire.exchange(
            request,
            service="gateway",
            point=gateway_point(segments),
            seen=partial(seen_of, request, body, unreadable),
            do=do,
        )
