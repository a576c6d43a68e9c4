"""The gateway client: exchanges the bot's own token for a chat token, and looks rooms and profiles up."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hangbot.errors import Unavailable
from hangbot.hangfm.http import HttpClient, HttpResponse
from hangbot.hangfm.wire import gateway as wire

__all__ = ["GatewayClient"]

Read = TypeVar("Read")


class GatewayClient:
    """Asks the gateway as the bot. Routes and answers as public bots use them.

    Args:
        http: The gateway's address.
        token: ``BOT_USER_TOKEN``.
    """

    def __init__(self, http: HttpClient, token: str) -> None:
        self._http = http
        self._token = token

    @property
    def address(self) -> str:
        """Where the gateway is."""
        return self._http.base

    async def exchange_token(self) -> str:
        """Return a chat token for the bot's token.

        Raises:
            TokenRejected: The bot's token is wrong or expired (its own expiry is named).
            Unavailable: The answer is no JSON, or holds no ``cometAuthToken``.
            ServiceError: As `hangbot.hangfm.http.HttpClient.request` raises it.
        """
        return wire.read_chat_token(await self._get(wire.TOKEN_PATH, what="the token exchange"))

    async def room(self, room: str) -> Mapping[str, Any]:
        """Return a room by its uuid or slug: ``uuid, slug, name…``; raises `NotFound` for an unknown one."""
        return await self._get(wire.room_path(room), what=f"room {room}")

    async def profile(self) -> Mapping[str, Any]:
        """Return the bot's own profile: ``uuid, nickname, avatarId…``."""
        return await self._get(wire.PROFILE_PATH, what="the bot's own profile")

    async def kick(self, room: str, uuid: str) -> None:
        """Put a user out of a room, as a moderator may; where it is sent twice, the second is refused.

        Raises:
            NotFound: There is no such room.
            Refused: The bot may not, or the user is not there.
            ServiceError: As `hangbot.hangfm.http.HttpClient.request` raises it.
        """
        slug = (await self.room(room)).get("slug")
        if not isinstance(slug, str):
            raise Unavailable(f"the gateway names no slug of room {room}", service="gateway")
        what = f"the kick of {uuid}"
        response = await self._http.request(
            "POST", wire.KICK_PATH, what=what, headers=self._headers, body=wire.kick_body(uuid, slug)
        )
        self._read(wire.read_success, response, what)

    async def _get(self, path: str, *, what: str) -> dict[str, Any]:
        response = await self._http.request("GET", path, what=what, headers=self._headers)
        return self._read(wire.read_document, response, what)

    @property
    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def _read(self, read: Callable[..., Read], response: HttpResponse, what: str) -> Read:
        return read(
            response.status,
            response.headers,
            response.body,
            what=what,
            token=self._token,
            now=self._http.clock.wall(),
        )
