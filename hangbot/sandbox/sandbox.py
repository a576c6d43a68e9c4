"""A whole sandbox, and what a test does with it."""

import json
from collections.abc import Callable, Collection
from typing import Any

from hangbot.redact import Redactor
from hangbot.sandbox import env
from hangbot.sandbox.actors import Users
from hangbot.sandbox.chat.dialects import DIALECTS, Dialect
from hangbot.sandbox.chat.request import open_to_origin
from hangbot.sandbox.chat.server import ChatService
from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.exchange import HttpExchange
from hangbot.sandbox.faults import Faults
from hangbot.sandbox.gateway.routes import Gateway
from hangbot.sandbox.gateway.server import GatewayService
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.injector import FaultInjector
from hangbot.sandbox.journal import Event, Journal
from hangbot.sandbox.moderation import RoomModeration
from hangbot.sandbox.people import Identity, People, Person
from hangbot.sandbox.room.context import RoomContext
from hangbot.sandbox.room.room import Room
from hangbot.sandbox.room.rooms import Rooms
from hangbot.sandbox.room.server import RoomServer
from hangbot.sandbox.room.variants import RoomVariants
from hangbot.sandbox.services import SERVICES, Service, ServiceName, Services
from hangbot.sandbox.user_tokens import mask_new_tokens
from hangbot.web.listen import HOST

__all__ = ["Sandbox", "state_of"]


class Sandbox:
    """Hang.fm on 127.0.0.1; made by ``open_sandbox``.

    Attributes:
        clock: The sandbox's own clock.
        journal: Everything that went over its wires.
        faults: What goes wrong.
        people: Users and tokens.
        users: Users as actors.
        rooms: The rooms; the first one is the bot's.
        chat: The chat.
        gateway: The gateway.
        server: The room socket.
        services: Which of the three is up, on which port.
        dialect: Name of the chat dialect that a client has to speak.
        app_id: The chat's app id.
        host: The address on which everything listens.
    """

    def __init__(  # noqa: PLR0913  what open_sandbox is given, all by name
        self,
        *,
        dialect: str | Dialect,
        history: int,
        room_slug: str,
        secure: bool,
        host: str = HOST,
        identity: Identity | None = None,
        variants: RoomVariants,
        on_event: Callable[[Event], object] | None,
        clock: SandboxClock | None = None,
        ids: Ids | None = None,
    ) -> None:
        ids = ids or Ids()
        redactor = Redactor(pieces=False)  # of thousands of tokens; what the journal cuts is masked before
        spoken = DIALECTS[dialect] if isinstance(dialect, str) else dialect
        self._scheme = "https" if secure else "http"
        self.host = host
        self.clock = clock or SandboxClock()
        self.journal = Journal(self.clock.now_ms, redactor, on_event=on_event)
        self.faults = Faults()
        injector = FaultInjector(self.faults, self.clock)
        self.people = People(self.clock.now_s, mask_new_tokens(redactor), spoken.tokens, ids)
        self.rooms = Rooms(variants, ids)
        self.server = RoomServer(
            RoomContext(self.people, self.rooms, injector, self.journal, self.clock, ids)
        )
        self.dialect: str = spoken.name
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
        moderation = RoomModeration(self.rooms, self.people, self.server)
        self.gateway = GatewayService(
            Gateway(self.people, self.rooms, moderation, ids),
            HttpExchange("gateway", injector, self.journal, whose=self.people.behind, cors=open_to_origin),
        )
        self.services = Services(
            self.journal,
            {
                "room": Service(self.server.handle, self.server.disconnect_all),
                "chat": Service(self.chat.handle, self.chat.realtime.abort_all),
                "gateway": Service(self.gateway.handle, lambda: None),
            },
            self.people.behind,
            self.clock.now_s,
            host,
        )
        self.users = Users(self.people, self.rooms, self.server.broadcaster, self.chat, self.clock)
        if identity is None:
            self._bot_uid = self.people.add("hangbot", role="bot").uid
        else:
            self._bot_uid = self.people.adopt("hangbot", identity).uid
        self.add_room(room_slug, uuid=None if identity is None else identity.room_uuid)

    def __repr__(self) -> str:
        return f"<Sandbox {self.dialect} room={self.room_url} chat={self.chat_url}>"

    # -- addresses

    @property
    def room_port(self) -> int:
        """Port of the room socket, once it listens."""
        return self.services.port("room") or 0

    @property
    def http_port(self) -> int:
        """Port of chat and gateway, once they listen."""
        return self.services.port("chat") or 0

    @property
    def control_port(self) -> int | None:
        """Port of the control API, if it listens."""
        return self.services.port("control")

    @property
    def room_url(self) -> str:
        """``SOCKET_SERVER_URL``."""
        return f"{self._scheme}://{self.host}:{self.room_port}"

    @property
    def chat_url(self) -> str:
        """``OPENCHAT_BASE_URL``; chat and gateway share a port."""
        return f"{self._scheme}://{self.host}:{self.http_port}"

    @property
    def gateway_url(self) -> str:
        """``TTFM_GATEWAY_BASE_URL``."""
        return self.chat_url

    @property
    def control_url(self) -> str:
        """Base of the control API; empty when it was not asked for."""
        return "" if self.control_port is None else f"http://{self.host}:{self.control_port}"

    def env(self) -> dict[str, str]:
        """Return what a bot is configured with, without what it derives by itself."""
        return env.of_bot(self)

    def env_of_others(self) -> dict[str, str]:
        """Return the same under the names that other public bots read."""
        return env.of_other_bots(self)

    def env_without_exchange(self) -> dict[str, str]:
        """Return what else a bot is configured with that asks the gateway for no chat token."""
        return env.without_exchange(self)

    def ready(self) -> dict[str, str]:
        """Return the first line that ``hangbot sandbox`` prints."""
        return env.ready_line(self)

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
        """Add a room, with its chat group.

        Raises:
            ValueError: The slug or the uuid is taken.
        """
        room = self.rooms.add(slug, name, uuid=uuid)
        self.chat.world.ensure_group(room.uuid, room.name)
        return room

    def problems(self, *, faults: bool = True, requests: bool = True) -> list[str]:
        """Return what a test should fail for at its end.

        Args:
            faults: Whether faults that never hit are problems.
            requests: Whether requests that no route knows are.
        """
        unused = self.faults.leftovers() if faults else ()
        unknown = self.journal.unrouted if requests else ()
        return [
            f"fault {fault.id} ({fault.do} on {fault.on}) was expected to hit and never did: "
            "make the request that it waits for, or do not add it"
            for fault in unused
        ] + [f"no route of the sandbox knows {request}: correct the client" for request in unknown]

    # -- what time, moderators and the service do

    async def advance(self, seconds: float) -> None:
        """Move the clock, then let connected clients answer the heartbeat that this may have brought.

        Raises:
            ValueError: ``seconds`` is negative or not finite.
        """
        self.clock.advance(seconds)
        await self.server.heartbeat.wait_until_quiet()

    async def kick(self, uid: str, room: Room | None = None) -> None:
        """Remove a user from the room, as a moderator does."""
        self.server.endings.remove_user(room or self.room, uid)

    async def ban(self, uid: str, room: Room | None = None) -> None:
        """Ban a user from the room and its chat, as a moderator does."""
        room = room or self.room
        self.server.endings.remove_user(room, uid, ban=True)
        await self.chat.ban(uid, room.uuid)

    async def unban(self, uid: str, room: Room | None = None) -> None:
        """Lift a ban from the room and its chat; for a user that is not banned nothing happens."""
        room = room or self.room
        if room.roles.get(uid) == "banned":
            self.server.broadcaster.broadcast(room, room.moderation.set_role(uid, None))
        await self.chat.unban(uid, room.uuid)

    async def reset_room(self, room: Room | None = None) -> None:
        """Reset a room, as the service does: its state is cleared and its connections are closed."""
        self.server.endings.reset_room(room or self.room)

    async def forget(self, uid: str, room: Room | None = None) -> None:
        """Take a connected user out of the room's state by a patch; that user's client hears it, too."""
        self.server.endings.forget_user(room or self.room, uid)

    async def silence(self, room: Room | None = None) -> None:
        """End the playing song; no client learns of it.

        Raises:
            ActionRefused: Nothing is playing.
        """
        self.server.endings.silence(room or self.room)

    async def set_guest_password(self, password: str | None, room: Room | None = None) -> None:
        """Ask guests for this password from now on; ``None`` lets them in without."""
        room = room or self.room
        self.server.broadcaster.broadcast(room, room.moderation.set_guest_password(password))

    async def next_song(self, room: Room | None = None) -> None:
        """End the playing song."""
        room = room or self.room
        self.server.broadcaster.broadcast(room, room.stage.next_song(self.clock.now_ms()))

    async def restart(self, down_ms: float = 0, services: Collection[ServiceName] = SERVICES) -> None:
        """Restart services; see ``Services.restart``.

        Raises:
            ValueError: There is no such service, or none is named; or ``down_ms`` is negative or not finite.
        """
        await self.services.restart(services, down_ms)

    async def reset(self) -> None:
        """Begin a fresh world on the same ports with the same tokens and rooms; connections are cut."""
        self.server.cancel_timers()
        self.rooms.reset()
        self.services.cut("room")
        self.faults.clear()
        self.people.unrevoke_all()
        self.journal.unrouted.clear()
        self.chat.reset()
        self.gateway.api.reset()
        for room in self.rooms:
            self.chat.world.ensure_group(room.uuid, room.name)


def state_of(room: Room) -> dict[str, Any]:
    """Return a copy of a room's state."""
    state: dict[str, Any] = json.loads(json.dumps(room.state))
    return state
