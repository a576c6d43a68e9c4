"""A whole sandbox, and everything that a test asks of it."""

import itertools
import json
import math
from collections.abc import Callable, Collection
from typing import Any, Final

from hangbot.redact import Redactor
from hangbot.sandbox.actors import Actor, Users
from hangbot.sandbox.chat.dialects import DIALECTS, Dialect
from hangbot.sandbox.chat.request import Wire
from hangbot.sandbox.chat.server import ChatService
from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.faults import Faults
from hangbot.sandbox.gateway.routes import Gateway
from hangbot.sandbox.gateway.server import GatewayService
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.injector import FaultInjector
from hangbot.sandbox.journal import Event, Journal
from hangbot.sandbox.listen import HOST
from hangbot.sandbox.moderation import RoomModeration
from hangbot.sandbox.people import Identity, People, Person
from hangbot.sandbox.room.room import Room
from hangbot.sandbox.room.rooms import Rooms
from hangbot.sandbox.room.server import RoomServer
from hangbot.sandbox.room.variants import RoomVariants
from hangbot.sandbox.services import SERVICES, Service, ServiceName, Services

__all__ = ["Sandbox", "state_of"]

_KNOWN_TOKENS: Final = 8


class Sandbox:
    """Hang.fm on 127.0.0.1; made by ``open_sandbox``.

    Attributes:
        clock: The sandbox's own clock.
        journal: Everything that went over its wires.
        faults: What goes wrong.
        people: Users and tokens.
        users: Users as actors.
        rooms: The rooms; the first one is the bot's.
        chat: Chat and gateway.
        server: The room socket.
        services: Which of the three is up, on which port.
        dialect: Name of the chat dialect that a client has to speak.
        app_id: The chat's app id.
    """

    def __init__(  # noqa: PLR0913  what open_sandbox is given, all by name
        self,
        *,
        dialect: str | Dialect,
        history: int,
        room_slug: str,
        secure: bool,
        identity: Identity | None = None,
        variants: RoomVariants,
        on_event: Callable[[Event], object] | None,
        clock: SandboxClock | None = None,
        ids: Ids | None = None,
    ) -> None:
        ids = ids or Ids()
        redactor = Redactor(pieces=False)  # of thousands of tokens; what the journal cuts is masked before
        issued = itertools.count(1)

        def remember(token: str) -> None:
            # Most tokens here have a shape that is masked by itself; the first ones (the bot's) are
            # masked in disguise too. Thousands of known secrets would make reading the journal crawl.
            if next(issued) <= _KNOWN_TOKENS or not token.startswith(("eyJ", "auth_")):
                redactor.add(token)

        self.clock = clock or SandboxClock()
        self.journal = Journal(self.clock.now_ms, redactor, on_event=on_event)
        self.faults = Faults()
        injector = FaultInjector(self.faults, self.clock)
        spoken = DIALECTS[dialect] if isinstance(dialect, str) else dialect
        self.people = People(self.clock.now_s, remember, spoken.tokens, ids)
        self.rooms = Rooms(variants, ids)
        self.app_id = (identity and identity.app_id) or ids.hex(8)
        self.chat = ChatService(
            self.people,
            injector,
            self.journal,
            self.clock,
            dialect=spoken,
            history=history,
            app_id=self.app_id,
            ids=ids,
        )
        self.dialect: str = spoken.name
        self.server = RoomServer(self.people, self.rooms, self.faults, self.journal, self.clock, ids)
        moderation = RoomModeration(self.rooms, self.people, self.server.desk)
        self.gateway = GatewayService(
            Gateway(self.people, self.rooms, moderation, ids),
            Wire(injector, self.journal, whose=self.people.behind),
        )
        self.services = Services(
            self.journal,
            {
                "room": Service(self.server.handle, self.server.disconnect_all),
                "chat": Service(self.chat.handle, self.chat.realtime.abort_all),
                "gateway": Service(self.gateway.handle, lambda: None),
            },
            self.people.behind,
        )
        self.users = Users(self.people, self._actor, self.rooms, self.server.desk)
        if identity is None:
            self._bot_uid = self.people.add("hangbot", role="bot").uid
        else:
            self._bot_uid = self.people.adopt("hangbot", identity).uid
        self._scheme = "https" if secure else "http"
        self.room_port = 0
        """Port of the room socket, once it listens."""
        self.http_port = 0
        """Port of chat and gateway, once they listen."""
        self.control_port: int | None = None
        """Port of the control API, if it listens."""
        self.add_room(room_slug, uuid=None if identity is None else identity.room_uuid)

    def __repr__(self) -> str:
        return f"<Sandbox {self.dialect} room={self.room_url} chat={self.chat_url}>"

    # -- addresses

    @property
    def room_url(self) -> str:
        """``SOCKET_SERVER_URL``."""
        return f"{self._scheme}://{HOST}:{self.room_port}"

    @property
    def chat_url(self) -> str:
        """``OPENCHAT_BASE_URL``; chat and gateway share a port."""
        return f"{self._scheme}://{HOST}:{self.http_port}"

    @property
    def gateway_url(self) -> str:
        """``TTFM_GATEWAY_BASE_URL``."""
        return self.chat_url

    @property
    def control_url(self) -> str:
        """Base of the control API; empty when it was not asked for."""
        return "" if self.control_port is None else f"http://{HOST}:{self.control_port}"

    def env(self) -> dict[str, str]:
        """What a bot is configured with; what it derives by itself is left out."""
        env = {
            "BOT_USER_TOKEN": self.bot.token,
            "ROOM_UUID": self.room_uuid,
            "OPENCHAT_BASE_URL": self.chat_url,
            "TTFM_GATEWAY_BASE_URL": self.gateway_url,
            "SOCKET_SERVER_URL": self.room_url,
            "CHAT_DIALECT": self.dialect,
        }
        return env | {"COMETCHAT_APPID": self.app_id} if self.dialect == "cometchat" else env

    def env_of_others(self) -> dict[str, str]:
        """The same under the names that other public bots read."""
        return {
            "HANGOUT_ID": self.room_uuid,
            "BOT_UID": self.bot.uid,
            "CHAT_USER_ID": self.bot.uid,
            "CHAT_TOKEN": self.bot.chat_token,
            "TTL_USER_TOKEN": self.bot.token,
            "COMET_BASE_URL": self.chat_url,
        }

    def ready(self) -> dict[str, str]:
        """The first line that ``hangbot sandbox`` prints."""
        return {
            "event": "ready",
            "room_url": self.room_url,
            "chat_url": self.chat_url,
            "gateway_url": self.gateway_url,
            "control_url": self.control_url,
            "room_uuid": self.room_uuid,
            "room_slug": self.room_slug,
            "bot_uid": self.bot.uid,
            "bot_token": self.bot.token,
            "chat_token": self.bot.chat_token,
            "app_id": self.app_id,
        }

    # -- the world

    @property
    def bot(self) -> Person:
        """The bot's user, with its tokens."""
        return self.people.get(self._bot_uid)

    @property
    def room(self) -> Room:
        """The bot's room."""
        return self.rooms.first

    @property
    def room_uuid(self) -> str:
        """Its uuid, also the GUID of its chat group."""
        return self.room.uuid

    @property
    def room_slug(self) -> str:
        """Its name in URLs."""
        return self.room.slug

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Every chat message that the world holds, oldest first."""
        return self.chat.world.store.messages()

    @property
    def state(self) -> dict[str, Any]:
        """The bot's room as the server sees it, a copy."""
        return state_of(self.room)

    def add_room(self, slug: str, name: str | None = None, *, uuid: str | None = None) -> Room:
        """One more room, with its chat group.

        Raises:
            ValueError: The slug or the uuid is taken.
        """
        room = self.rooms.add(slug, name, uuid=uuid)
        self.chat.world.ensure_group(room.uuid, room.name)
        return room

    def complaints(self) -> list[str]:
        """What a test should fail for at its end: faults that never hit, requests that nobody knew."""
        return [
            *(
                f"fault {fault.id} ({fault.do} on {fault.on}) never hit: "
                "make the request that it waits for, or do not add it"
                for fault in self.faults.leftovers()
            ),
            *(
                f"no route knows this request: {request}; correct the client, or allow it"
                for request in self.journal.unrouted
            ),
        ]

    # -- what time, moderators and the service do

    async def advance(self, seconds: float) -> None:
        """Move the clock, then let connected clients answer the heartbeat that this may have brought.

        Raises:
            ValueError: ``seconds`` is negative or not finite.
        """
        self.clock.advance(seconds)
        await self.server.settle()

    async def kick(self, uid: str, room: Room | None = None) -> None:
        """A moderator throws a user out of the room."""
        self.server.desk.expel(room or self.room, uid)

    async def ban(self, uid: str, room: Room | None = None) -> None:
        """A moderator bans a user: out of the room, and he may not come back; nor may he chat."""
        room = room or self.room
        self.server.desk.expel(room, uid, ban=True)
        await self.chat.ban(uid, room.uuid)

    async def unban(self, uid: str, room: Room | None = None) -> None:
        """A moderator lets a user in again, into the room and its chat; of one who is not banned, nothing."""
        room = room or self.room
        if room.roles.get(uid) == "banned":
            self.server.desk.tell(room, room.set_role(uid, None))
        await self.chat.unban(uid, room.uuid)

    async def reset_room(self, room: Room | None = None) -> None:
        """The service resets a room: its state is cleared and its connections are closed."""
        self.server.desk.reset_room(room or self.room)

    async def forget(self, uid: str, room: Room | None = None) -> None:
        """The room loses a user who is connected: a patch takes him out of the state, and he hears it."""
        self.server.desk.forget(room or self.room, uid)

    async def silence(self, room: Room | None = None) -> None:
        """The playing song ends now, and nobody is told.

        Raises:
            ActionRefused: Nothing is playing.
        """
        self.server.desk.silence(room or self.room)

    async def set_guest_password(self, password: str | None, room: Room | None = None) -> None:
        """Guests need a password from now on, or none any more."""
        room = room or self.room
        self.server.desk.tell(room, room.set_guest_password(password))

    async def next_song(self, room: Room | None = None) -> None:
        """The playing song ends now."""
        room = room or self.room
        self.server.desk.tell(room, room.next_song(self.clock.now_ms()))

    async def restart(self, down_ms: float = 0, services: Collection[ServiceName] = SERVICES) -> None:
        """Processes of the service restart: 1006 and broken connections, then nobody is let in.

        What they know survives. Returns when they are down, or up again when ``down_ms`` is 0.

        Args:
            down_ms: How long they are down, on the event loop's clock: time that the sandbox's own clock
                is pushed forward by brings nothing up.
            services: Which of ``room``, ``chat`` and ``gateway``.

        Raises:
            ValueError: There is no such service, or none is named; or ``down_ms`` is negative or not finite.
        """
        unknown = [name for name in services if name not in SERVICES]
        if unknown or not services:
            said = f"no such service: {unknown[0]!r}" if unknown else "no service named"
            raise ValueError(f"{said}; there are {', '.join(SERVICES)}")
        if not 0 <= down_ms < math.inf:
            raise ValueError("down_ms must be 0 or more, and finite")
        await self.services.restart(services, down_ms / 1000)

    async def reset(self) -> None:
        """A fresh world on the same ports with the same tokens and rooms; connections are cut."""
        self.server.desk.close()
        self.rooms.renew()
        self.services.cut("room")
        self.faults.clear()
        self.people.unrevoke_all()
        self.journal.unrouted.clear()
        self.chat.reset()
        self.gateway.api.reset()
        for room in self.rooms:
            self.chat.world.ensure_group(room.uuid, room.name)

    # -- inside

    def _actor(self, uid: str) -> Actor:
        return Actor(uid, self.people, self.rooms, self.server.desk, self.chat, clock=self.clock)


def state_of(room: Room) -> dict[str, Any]:
    """A copy of a room's state that nobody else holds."""
    state: dict[str, Any] = json.loads(json.dumps(room.state))
    return state
