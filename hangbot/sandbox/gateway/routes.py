"""The gateway of Hang.fm: token exchange, profiles, rooms.

PURE: a call in, an answer out. The routes and fields are those that public bots call and
read; answers hold nothing else. Where a shape is unknown the answer is the smallest one
that those bots accept.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

from hangbot.sandbox.chat.rows import Row
from hangbot.sandbox.gateway.call import (
    GatewayAnswer,
    GatewayCall,
    Problem,
    failure,
    no_route,
    object_of,
    roles_of,
    text_field,
)
from hangbot.sandbox.gateway.playlists import Playlists
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.paths import match_path
from hangbot.sandbox.people import People, Person
from hangbot.sandbox.user_tokens import BadToken

__all__ = ["Gateway", "Moderation", "Rooms"]

_MODERATORS: Final = frozenset({"moderator", "owner", "coOwner"})
_MAY_KICK: Final = frozenset({"admin", "moderator", "globalModerator", "staff"})
_NOT_CHANGED: Final = frozenset({"uuid", "slug", "roomRoles", "usersInRoomUuids", "song", "recent_songs"})


class Rooms(Protocol):
    """What the gateway reads of the room world."""

    def by_slug(self, slug: str) -> Mapping[str, Any] | None:
        """Return the state of the room with that slug."""

    def by_uuid(self, uuid: str) -> Mapping[str, Any] | None:
        """Return the state of the room with that UUID."""


class Moderation(Protocol):
    """What a call to the gateway changes in rooms."""

    def kick(self, room_uuid: str, uid: str) -> None:
        """Remove a user from a room."""

    def change_settings(self, room_uuid: str, fields: Row) -> None:
        """Change settings of a room."""

    def show_profile(self, uid: str) -> None:
        """Show a user's changed profile in every room."""


Handler = Callable[..., GatewayAnswer]
"""Answers a call; the segments that its path leaves open follow the call."""


class Gateway:
    """The gateway's calls.

    Args:
        people: The users behind tokens.
        rooms: The room world.
        moderation: Changes rooms.
        ids: Where ids of crates and songs come from.

    Attributes:
        accounts: E-mail address → (password, uid), for `auth/login`.
    """

    def __init__(self, people: People, rooms: Rooms, moderation: Moderation, ids: Ids) -> None:
        self._people = people
        self._rooms = rooms
        self._moderation = moderation
        self._playlists = Playlists(ids)
        self._bots: dict[str, str] = {}
        self._changes: dict[str, Row] = {}
        self.accounts: dict[str, tuple[str, str]] = {}
        self._routes: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "user-service/comet-chat/user-token", self._exchange),
            ("GET", "user-service/users/profile", self._own_profile),
            ("POST", "user-service/users/profile", self._change_profile),
            ("GET", "user-service/users/profiles", self._profiles),
            ("GET", "user-service/profile/{}", self._profile_of),
            ("POST", "user-service/users/sign-up-bot", self._sign_up_bot),
            ("GET", "user-service/users/bot-token", self._bot_token),
            ("POST", "user-service/users/bot-token", self._bot_token),
            ("POST", "user-service/auth/login", self._login),
            ("GET", "room-service/rooms/uuid/{}", self._room_by_uuid),
            ("GET", "room-service/rooms/{}", self._room_by_slug),
            ("POST", "room-service/rooms/{}/join", self._join_room),
            ("PATCH", "room-service/rooms/{}", self._change_room),
            ("POST", "room-service/roomUserRoles/kick-user-from-room", self._kick),
            ("GET", "room-service/roomUserRoles/{}/{}", self._roles),
            ("GET", "playlist-service/rooms/{}/recent-songs", self._recent_songs),
            ("*", "playlist-service/*", self._playlist),
        )

    def reset(self) -> None:
        """Forget bots signed up, changed rooms and crates."""
        self._bots.clear()
        self._changes.clear()
        self._playlists.clear()

    def answer(self, call: GatewayCall) -> GatewayAnswer:
        """Do what a call asks for. Never raises: whatever the body holds is answered."""
        try:
            return self._answer(call)
        except BadToken:
            return failure(401, "Unauthorized")
        except Problem as problem:
            return failure(problem.status, problem.message)
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
            return failure(400, "Bad Request")

    def _answer(self, call: GatewayCall) -> GatewayAnswer:
        for method, path, handler in self._routes:
            ids = match_path(path, call.segments) if method in ("*", call.method) else None
            if ids is not None:
                return handler(call, *ids)
        return no_route(call)

    def _caller(self, call: GatewayCall) -> Person:
        scheme, _, token = call.authorization.partition(" ")
        return self._people.verify(token.strip() if scheme.lower() == "bearer" else "")

    def _known(self, uid: str) -> Person:
        person = self._people.find(uid)
        if person is None:
            raise Problem(404, "User not found")
        return person

    # -- users

    def _exchange(self, call: GatewayCall) -> GatewayAnswer:
        person = self._caller(call)
        token = self._people.exchange(call.authorization.partition(" ")[2].strip())
        return GatewayAnswer(200, {"cometAuthToken": token}, uid=person.uid)

    def _own_profile(self, call: GatewayCall) -> GatewayAnswer:
        person = self._caller(call)
        return GatewayAnswer(200, person.profile(), uid=person.uid)

    def _profile_of(self, call: GatewayCall, uid: str) -> GatewayAnswer:
        self._caller(call)
        return GatewayAnswer(200, self._known(uid).profile(), uid=uid)

    def _profiles(self, call: GatewayCall) -> GatewayAnswer:
        self._caller(call)
        found = (self._people.find(uid) for uid in parse_qs(call.query).get("users", []))
        return GatewayAnswer(200, [{"userProfile": p.profile()} for p in found if p is not None])

    def _change_profile(self, call: GatewayCall) -> GatewayAnswer:
        person, fields = self._caller(call), object_of(call)
        wanted = {
            ours: text_field(fields[theirs], theirs)
            for theirs, ours in (("nickname", "nickname"), ("avatarId", "avatar_id"), ("color", "color"))
            if theirs in fields
        }
        changed = self._people.change(person.uid, **wanted)
        self._moderation.show_profile(person.uid)
        return GatewayAnswer(201, changed.profile(), uid=person.uid)

    def _sign_up_bot(self, call: GatewayCall) -> GatewayAnswer:
        owner, fields = self._caller(call), object_of(call)
        if owner.uid in self._bots:
            raise Problem(409, "User already has a bot")
        name = text_field(fields.get("botNickName"), "botNickName")
        bot = self._people.add(name, role="bot")
        avatar, color = fields.get("avatarId"), fields.get("color")
        self._people.change(
            bot.uid,
            avatar_id=avatar if isinstance(avatar, str) else None,
            color=f"#{color.lstrip('#')}" if isinstance(color, str) else None,
        )
        self._bots[owner.uid] = bot.uid
        return GatewayAnswer(201, self._people.get(bot.uid).profile(), uid=owner.uid)

    def _bot_token(self, call: GatewayCall) -> GatewayAnswer:
        owner = self._caller(call)
        bot = self._people.find(self._bots.get(owner.uid))
        if bot is None:
            raise Problem(404, "Bot not found")
        return GatewayAnswer(200, {"accessToken": bot.token, "codeSyncNewUser": ""}, uid=owner.uid)

    def _login(self, call: GatewayCall) -> GatewayAnswer:
        fields = object_of(call)
        password, uid = self.accounts.get(str(fields.get("email")), ("", ""))
        person = self._people.find(uid)
        if person is None or fields.get("password") != password:
            raise Problem(401, "Unauthorized")
        return GatewayAnswer(201, {"accessToken": person.token}, uid=person.uid)

    # -- rooms

    def _room_by_uuid(self, call: GatewayCall, uuid: str) -> GatewayAnswer:
        self._caller(call)
        return GatewayAnswer(200, self._room(self._rooms.by_uuid(uuid)))

    def _room_by_slug(self, call: GatewayCall, slug: str) -> GatewayAnswer:
        self._caller(call)
        return GatewayAnswer(200, self._room(self._rooms.by_slug(slug)))

    def _join_room(self, call: GatewayCall, slug: str) -> GatewayAnswer:
        person = self._caller(call)
        return GatewayAnswer(201, self._room(self._rooms.by_slug(slug)), uid=person.uid)

    def _roles(self, call: GatewayCall, slug: str, uid: str) -> GatewayAnswer:
        self._caller(call)
        room = self._room(self._rooms.by_slug(slug))
        return GatewayAnswer(200, [{"role": role} for role in roles_of(room, uid)])

    def _room(self, room: Mapping[str, Any] | None) -> Row:
        if room is None:
            raise Problem(404, "Room not found")
        shown = {name: value for name, value in room.items() if name != "recent_songs"}
        return {"pinnedMessages": [], **shown, **self._changes.get(str(room.get("uuid")), {})}

    def _change_room(self, call: GatewayCall, slug: str) -> GatewayAnswer:
        """Take over settings; a room's roles and users are not changed here."""
        self._caller(call)
        room, fields = self._room(self._rooms.by_slug(slug)), object_of(call)
        changes = {name: value for name, value in fields.items() if name not in _NOT_CHANGED}
        for name, value in changes.items():
            before = room.get(name)
            if before is not None and type(value) is not type(before):
                raise Problem(400, f"{name} must be of type {type(before).__name__}")
            if isinstance(value, int) and value < 0:
                raise Problem(400, f"{name} must not be less than 0")
        self._changes.setdefault(str(room["uuid"]), {}).update(changes)
        self._moderation.change_settings(str(room["uuid"]), changes)
        return GatewayAnswer(200, room | changes)

    def _kick(self, call: GatewayCall) -> GatewayAnswer:
        person, fields = self._caller(call), object_of(call)
        room = self._room(self._rooms.by_slug(text_field(fields.get("slug"), "slug")))
        target = self._known(text_field(fields.get("userUuid"), "userUuid"))
        allowed = _MODERATORS & set(roles_of(room, person.uid))
        if not allowed and person.role not in _MAY_KICK:
            raise Problem(403, "Forbidden resource")
        self._moderation.kick(str(room["uuid"]), target.uid)
        return GatewayAnswer(201, {}, uid=person.uid)

    # -- playlists

    def _recent_songs(self, call: GatewayCall, slug: str) -> GatewayAnswer:
        person, room = self._caller(call), self._rooms.by_slug(slug)
        if room is None:
            raise Problem(404, "Room not found")
        return GatewayAnswer(200, {"songPlays": list(room.get("recent_songs", ()))}, uid=person.uid)

    def _playlist(self, call: GatewayCall, *below: str) -> GatewayAnswer:
        person = self._caller(call)
        found = self._playlists.answer(person.uid, call.method, below, call.query, call.body)
        return no_route(call) if found is None else GatewayAnswer(found[0], found[1], uid=person.uid)
