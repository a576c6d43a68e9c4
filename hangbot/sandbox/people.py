"""The users of the sandbox, their tokens, and what a token opens.

PURE: no clock but the one that is passed in.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hangbot.sandbox.chat_tokens import ChatTokenRules, ChatTokens
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.user_tokens import TEN_YEARS_S, BadToken, UserTokens, user_and_expiry

__all__ = ["TOKEN_ROLES", "Identity", "People", "Person"]

TOKEN_ROLES: Final = frozenset(
    {
        "globalModerator",
        "staff",
        "superUser",
        "promoter",
        "user",
        "bot",
        "admin",
        "moderator",
        "guest",
    }
)
"""The roles that a user's token can carry, as typed in ttfm-socket 1.0.0."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the sandbox.

    Attributes:
        uid: The user's uuid, the same in room, chat and gateway.
        nickname: What others see.
        role: The token's role, one of ``TOKEN_ROLES``.
        avatar_id: Name of the avatar.
        color: Colour of the name.
        token: JWT for room socket and gateway.
        chat_token: What the gateway's exchange returns.
    """

    uid: str
    nickname: str
    role: str
    avatar_id: str
    color: str
    token: str = field(repr=False)
    chat_token: str = field(repr=False)

    def profile(self) -> dict[str, Any]:
        """``userProfile`` of the room state; a guest has these four fields and no more."""
        return {
            "uuid": self.uid,
            "nickname": self.nickname,
            "avatarId": self.avatar_id,
            "color": self.color,
        }


@dataclass(frozen=True, slots=True)
class Identity:
    """The bot and its room: what one sandbox takes over from an earlier one.

    Attributes:
        token: The bot's JWT, signed with any key.
        room_uuid: The room.
        chat_token: The bot's chat token, or ``None`` for a new one.
        app_id: The chat's app id, or ``None`` for a new one.

    Raises:
        ValueError: The token is no JWT with ``sub`` and ``exp``.
    """

    token: str = field(repr=False)
    room_uuid: str
    chat_token: str | None = field(default=None, repr=False)
    app_id: str | None = None

    def __post_init__(self) -> None:
        try:
            user_and_expiry(self.token)
        except BadToken:
            raise ValueError("the token is no JWT of a user") from None


class People:
    """All users of one sandbox.

    Args:
        now_s: The sandbox's clock, seconds since 1970.
        on_token: Given every token issued, so that journals can mask it.
        rules: What becomes of chat tokens.
        ids: Where uids, tokens and the signing key come from.
    """

    def __init__(
        self,
        now_s: Callable[[], float],
        on_token: Callable[[str], object] = lambda _: None,
        rules: ChatTokenRules | None = None,
        ids: Ids | None = None,
    ) -> None:
        self._exchange = (rules or ChatTokenRules()).exchange
        self._on_token = on_token
        self._ids = ids or Ids()
        self._tokens = UserTokens(now_s, self._ids)
        self._people: dict[str, Person] = {}
        self._chat_tokens = ChatTokens(now_s, rules or ChatTokenRules(), self._ids)
        self._revoked: set[str] = set()

    def __len__(self) -> int:
        return len(self._people)

    def __iter__(self) -> Iterator[Person]:
        return iter(tuple(self._people.values()))

    def __contains__(self, uid: object) -> bool:
        return uid in self._people

    def add(
        self,
        nickname: str,
        *,
        role: str = "user",
        uid: str | None = None,
        lifetime_s: float = TEN_YEARS_S,
    ) -> Person:
        """Add a user with fresh tokens.

        Raises:
            ValueError: The role is unknown, the nickname is empty, or the uid is taken.
        """
        if role not in TOKEN_ROLES:
            raise ValueError(f"no such role: {role!r}; there are {', '.join(sorted(TOKEN_ROLES))}")
        if not nickname or not nickname.strip():
            raise ValueError("a user needs a nickname")
        uid = uid or self._ids.uuid()
        if uid in self._people:
            raise ValueError(f"there is a user {uid} already")
        avatar_id = {"bot": "bot-01", "guest": "ghost"}.get(role, "lovable-1")
        token = self._issue(uid, role, lifetime_s)
        chat_token = self._issue_chat_token(uid)
        person = Person(uid, nickname, role, avatar_id, "#ff9900", token, chat_token)
        self._people[uid] = person
        return person

    def adopt(self, nickname: str, identity: Identity) -> Person:
        """Add the bot of an earlier sandbox, with its uid and tokens; any key may have signed them.

        Raises:
            ValueError: The uid is taken.
        """
        uid, _ = user_and_expiry(identity.token)
        person = self.add(nickname, role="bot", uid=uid)
        self._tokens.keep(identity.token)
        self._on_token(identity.token)
        chat_token = identity.chat_token or person.chat_token
        if chat_token is not person.chat_token:
            self._chat_tokens.keep(uid, chat_token)
            self._on_token(chat_token)
        self._people[uid] = replace(person, token=identity.token, chat_token=chat_token)
        return self._people[uid]

    def get(self, uid: str) -> Person:
        """Return the user with the present profile.

        Raises:
            KeyError: There is no such user.
        """
        return self._people[uid]

    def find(self, uid: object) -> Person | None:
        """Return the user with the present profile, or ``None``."""
        return self._people.get(uid) if isinstance(uid, str) else None

    def change(
        self, uid: str, *, nickname: str | None = None, avatar_id: str | None = None, color: str | None = None
    ) -> Person:
        """Change a profile; what is ``None`` stays.

        Raises:
            KeyError: There is no such user.
        """
        person = self._people[uid]
        self._people[uid] = replace(
            person,
            nickname=person.nickname if nickname is None else nickname,
            avatar_id=person.avatar_id if avatar_id is None else avatar_id,
            color=person.color if color is None else color,
        )
        return self._people[uid]

    def verify(self, token: object) -> Person:
        """Return the user whose valid JWT this is.

        Raises:
            BadToken: It is missing, malformed, signed elsewhere, expired, revoked, or no user has it.
        """
        if not isinstance(token, str) or not token:
            raise BadToken("missing")
        uid, expired = self._tokens.owner(token)
        if token in self._revoked:
            raise BadToken("revoked")
        if expired:
            raise BadToken("expired")
        person = self._people.get(uid)
        if person is None:
            raise BadToken("unknown")
        return person

    def by_token(self, token: object) -> Person | None:
        """Return the user whose valid JWT this is, or ``None``."""
        try:
            return self.verify(token)
        except BadToken:
            return None

    def by_chat_token(self, token: object) -> Person | None:
        """Return the user whose live chat token this is, or ``None``."""
        if not isinstance(token, str) or token in self._revoked:
            return None
        return self.find(self._chat_tokens.owner(token))

    def behind(self, headers: Mapping[str, str]) -> str | None:
        """Return the uid whose live token a request has in its headers, or ``None``."""
        scheme, _, bearer = headers.get("Authorization", "").partition(" ")
        shown = [headers.get("authtoken", ""), bearer.strip() if scheme.lower() == "bearer" else ""]
        found = (self.by_chat_token(token) or self.by_token(token) for token in shown if token)
        return next((person.uid for person in found if person), None)

    def exchange(self, bot_token: object) -> str:
        """Exchange a JWT for a chat token, as the gateway does (another one if the last is dead).

        Raises:
            BadToken: The JWT opens nothing.
        """
        person = self.verify(bot_token)
        if self._exchange != "same" or self.by_chat_token(person.chat_token) is None:
            if self._exchange == "replaces":
                self.revoke(person.chat_token)
            person = replace(person, chat_token=self._issue_chat_token(person.uid))
            self._people[person.uid] = person
        return person.chat_token

    def issue(
        self, uid: str, *, lifetime_s: float = TEN_YEARS_S, claims: Mapping[str, Any] | None = None
    ) -> str:
        """Make one more JWT for a user; a negative life makes an expired one.

        Raises:
            KeyError: There is no such user.
        """
        return self._issue(uid, self._people[uid].role, lifetime_s, claims)

    def revoke(self, token: str) -> None:
        """Make a token (JWT or chat) worthless at once; unknown ones too, harmlessly."""
        self._revoked.add(token)

    def unrevoke_all(self) -> None:
        """Make every revoked token good again."""
        self._revoked.clear()

    def _issue_chat_token(self, uid: str) -> str:
        token = self._chat_tokens.issue(uid)
        self._on_token(token)
        return token

    def _issue(self, uid: str, role: str, lifetime_s: float, claims: Mapping[str, Any] | None = None) -> str:
        token = self._tokens.issue(uid, role, lifetime_s, claims)
        self._on_token(token)
        return token
