"""Who lives in the sandbox: users, their tokens, and what a token is worth.

PURE: no clock but the one that is passed in. The tokens for room socket and gateway
are real JWTs (HS256, a key per sandbox) with the claims of a sample that is printed in
public documentation: ``id``, ``sub``, ``role``, ``capabilities``, ``type``, ``iat``,
``exp``, ``iss``; they live ten years unless told otherwise. Chat tokens are opaque.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from hangbot.sandbox.ids import Ids
from hangbot.sandbox.jwt import JwtSigner, read_claims

__all__ = ["TOKEN_ROLES", "BadToken", "ChatTokenRules", "Identity", "People", "Person"]

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

ISSUER: Final = "turntable-user-service"
TEN_YEARS_S: Final = 10 * 365 * 24 * 3600.0


class BadToken(Exception):
    """A token that opens nothing; ``reason`` says why, and never holds the token.

    Attributes:
        reason: ``missing``, ``malformed``, ``signature``, ``expired``, ``revoked`` or ``unknown``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ChatTokenRules:
    """What becomes of chat tokens; all but the look is unknown for Hang.fm.

    Attributes:
        look: ``auth`` = ``auth_`` and 43 url-safe characters (measured on OpenChat); ``uid`` = the uid,
            an underscore, digits and hex (CometChat's, seen in public bots).
        lifetime_s: How long a token lives; ``None`` = for ever.
        exchange: What another exchange gives: the ``same`` token while it is alive, a ``fresh`` one
            beside the old ones, or one that ``replaces`` the last.
        most: How many live tokens a user has; the oldest dies (CometChat documents 100).
    """

    look: Literal["auth", "uid"] = "auth"
    lifetime_s: float | None = None
    exchange: Literal["same", "fresh", "replaces"] = "same"
    most: int = 100


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
    """Who the bot is, and in which room: what one sandbox takes over from an earlier one.

    Attributes:
        token: The bot's JWT, signed by whomever.
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
            _claims(self.token)
        except BadToken:
            raise ValueError("the token is no JWT of a user") from None


class People:
    """All users of one sandbox.

    Args:
        now_s: The sandbox's clock, seconds since 1970.
        on_token: Told of every token issued, so that journals can mask it.
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
        self._rules = rules or ChatTokenRules()
        self._now_s = now_s
        self._on_token = on_token
        self._ids = ids or Ids()
        self._signer = JwtSigner(self._ids)
        self._people: dict[str, Person] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._chat_tokens: dict[str, tuple[str, float]] = {}
        self._chat_tokens_of: dict[str, list[str]] = {}
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
        """A new user with fresh tokens.

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
        token = self._sign(uid, role, lifetime_s)
        chat_token = self._new_chat_token(uid)
        person = Person(uid, nickname, role, avatar_id, "#ff9900", token, chat_token)
        self._people[uid] = person
        return person

    def adopt(self, nickname: str, identity: Identity) -> Person:
        """The bot of an earlier sandbox, with its uid and its tokens; whose key signed them is not asked.

        Raises:
            ValueError: The uid is taken.
        """
        uid, expires_s = _claims(identity.token)
        person = self.add(nickname, role="bot", uid=uid)
        self._tokens[identity.token] = (uid, expires_s)
        self._on_token(identity.token)
        chat_token = identity.chat_token or person.chat_token
        if chat_token is not person.chat_token:
            self._keep_chat_token(uid, chat_token)
        self._people[uid] = replace(person, token=identity.token, chat_token=chat_token)
        return self._people[uid]

    def get(self, uid: str) -> Person:
        """The user as he is now.

        Raises:
            KeyError: Nobody has that uid.
        """
        return self._people[uid]

    def find(self, uid: object) -> Person | None:
        """The user as he is now, or ``None``."""
        return self._people.get(uid) if isinstance(uid, str) else None

    def change(
        self, uid: str, *, nickname: str | None = None, avatar_id: str | None = None, color: str | None = None
    ) -> Person:
        """Change a profile; what is ``None`` stays.

        Raises:
            KeyError: Nobody has that uid.
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
        """The user whose valid JWT this is.

        Raises:
            BadToken: It is missing, malformed, signed elsewhere, expired, revoked, or of nobody.
        """
        if not isinstance(token, str) or not token:
            raise BadToken("missing")
        known = self._tokens.get(token)
        if known is None:
            known = self._read(token)
            self._tokens[token] = known
        uid, expires_s = known
        if token in self._revoked:
            raise BadToken("revoked")
        if self._now_s() >= expires_s:
            raise BadToken("expired")
        person = self._people.get(uid)
        if person is None:
            raise BadToken("unknown")
        return person

    def by_token(self, token: object) -> Person | None:
        """The user whose valid JWT this is, or ``None``."""
        try:
            return self.verify(token)
        except BadToken:
            return None

    def by_chat_token(self, token: object) -> Person | None:
        """The user whose live chat token this is, or ``None``."""
        if not isinstance(token, str) or not self._chat_token_lives(token):
            return None
        return self.find(self._chat_tokens[token][0])

    def behind(self, headers: Mapping[str, str]) -> str | None:
        """Return the uid of whoever's live token a request has in its headers, or ``None``."""
        scheme, _, bearer = headers.get("Authorization", "").partition(" ")
        shown = [headers.get("authtoken", ""), bearer.strip() if scheme.lower() == "bearer" else ""]
        found = (self.by_chat_token(token) or self.by_token(token) for token in shown if token)
        return next((person.uid for person in found if person), None)

    def exchange(self, bot_token: object) -> str:
        """The gateway's exchange: JWT in, chat token out (another one if the last is dead).

        Raises:
            BadToken: The JWT opens nothing.
        """
        person = self.verify(bot_token)
        lives = self._chat_token_lives(person.chat_token)
        if not lives or self._rules.exchange != "same":
            if self._rules.exchange == "replaces":
                self.revoke(person.chat_token)
            person = replace(person, chat_token=self._new_chat_token(person.uid))
            self._people[person.uid] = person
        return person.chat_token

    def issue(
        self, uid: str, *, lifetime_s: float = TEN_YEARS_S, claims: Mapping[str, Any] | None = None
    ) -> str:
        """One more JWT for a user, besides the one he has; a negative life makes an expired one.

        Raises:
            KeyError: Nobody has that uid.
        """
        return self._sign(uid, self._people[uid].role, lifetime_s, claims)

    def revoke(self, token: str) -> None:
        """Make a token (JWT or chat) worthless at once; unknown ones too, harmlessly."""
        self._revoked.add(token)

    def forgive(self) -> None:
        """Every revoked token is good again."""
        self._revoked.clear()

    def _new_chat_token(self, uid: str) -> str:
        token = "auth_" + self._ids.urlsafe(32)
        if self._rules.look == "uid":
            token = f"{uid}_{int(self._now_s())}{self._ids.hex(20)}"
        self._keep_chat_token(uid, token)
        return token

    def _keep_chat_token(self, uid: str, token: str) -> None:
        lifetime_s = self._rules.lifetime_s
        self._chat_tokens[token] = (uid, math.inf if lifetime_s is None else self._now_s() + lifetime_s)
        mine = self._chat_tokens_of.setdefault(uid, [])
        mine.append(token)
        if len(mine) > self._rules.most:
            del self._chat_tokens[mine.pop(0)]
        self._on_token(token)

    def _chat_token_lives(self, token: str) -> bool:
        known = self._chat_tokens.get(token)
        return known is not None and token not in self._revoked and self._now_s() < known[1]

    def _sign(self, uid: str, role: str, lifetime_s: float, extra: Mapping[str, Any] | None = None) -> str:
        now_s = int(self._now_s())
        claims: dict[str, Any] = {
            "id": uid,
            "sub": uid,
            "role": role,
            "capabilities": [],
            "type": "user",
            "iat": now_s,
            "exp": int(now_s + lifetime_s),
            "iss": ISSUER,
        } | dict(extra or {})
        # Tokens of one second must differ, or revoking one would revoke its twin: hence the key id.
        token = self._signer.sign(claims, kid=self._ids.urlsafe(6))
        self._tokens[token] = (str(claims["sub"]), float(claims["exp"]))
        self._on_token(token)
        return token

    def _read(self, token: str) -> tuple[str, float]:
        """``sub`` and ``exp`` of a JWT that was not issued here word for word."""
        known = _claims(token)
        if self._signer.verify(token) is None:
            raise BadToken("signature")
        return known


def _claims(token: str) -> tuple[str, float]:
    """``sub`` and ``exp`` of a JWT, whoever signed it."""
    try:
        claims = read_claims(token)
        uid, expires_s = claims["sub"], float(claims["exp"])
    except (ValueError, KeyError, TypeError, OverflowError):
        raise BadToken("malformed") from None  # the cause would show the token
    if not isinstance(uid, str) or not uid:
        raise BadToken("malformed")
    return uid, expires_s
