"""What is not known about the service from outside, as switches with a named default."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["RoomVariants"]


@dataclass(frozen=True, slots=True)
class RoomVariants:
    """The room socket where documents say "unknown"; the defaults are what a lab recording shows.

    Attributes:
        bad_token: A missing, wrong or expired token: ``actions`` = the connection is accepted
            and only actions fail (plain ActionHero), ``handshake`` = 401 instead of the upgrade.
        recheck_token: Whether a token that expires or is revoked later fails later actions.
        token_error: The error text of an action without a good token.
        setup_ms: How long the server sets up a connection before it sends the welcome;
            frames that come earlier are lost without an answer.
        welcome: Text of the welcome, or ``None`` for a server that sends none.
        joiner_in_state: Whether the join response's state contains the joiner already.
        own_user_joined: Whether the joiner gets its own ``userJoined``.
        second_join: ``allowed``, or ``refused`` as plain ActionHero's ``addMember`` would.
        response_first: Whether an action's response goes out before its room messages.
        profiles_ms: How long after the join response ``updatedUserData`` comes; the others' votes and
            leaves come meanwhile, as on a real server.
        profiles_sent_at: Whether ``updatedUserData`` carries ``sentAt``.
        action_ms: How long an action is pending before it runs.
        action_state: Whether actions answer with the server's state or with nothing.
        skip_by: Who may skip a song: the playing DJ and moderators, or anyone in the room.
        dj_may_vote: Whether the playing DJ may vote on the own song.
        verbs: Whether ``say``, ``roomAdd``, ``roomLeave`` and the like are open to clients.
        play_id: Whether ``nowPlaying`` carries a ``playId``, as in newer recordings.
        poster_bytes: Size of ``settings.posterFile``, which makes the state large; 0 = none.
        real_shapes: Whether settings and members' profiles carry the fields that recordings of the
            service have beyond those of the lab.
        kick_deliberate: Whether kick, ban and reset say ``primus::server::close`` before they close,
            as a plain ActionHero does.
        spec: Whether ``/primus/spec`` is answered; Primus can be set not to.
        ping_interval_s: Seconds between two heartbeats, one timer for the whole server.
        user_left_s: Seconds from a user's last connection to ``userLeft``.
    """

    bad_token: Literal["actions", "handshake"] = "actions"  # noqa: S105  a policy, not a token
    recheck_token: bool = True
    token_error: str = "Unauthorized"  # noqa: S105  a text, not a token
    setup_ms: float = 0.0
    welcome: str | None = "Welcome to the hangbot sandbox"
    joiner_in_state: bool = True
    own_user_joined: bool = False
    second_join: Literal["allowed", "refused"] = "allowed"
    response_first: bool = True
    profiles_ms: float = 300.0
    profiles_sent_at: bool = True
    action_ms: float = 0.0
    action_state: bool = True
    skip_by: Literal["dj_or_moderator", "anyone"] = "dj_or_moderator"
    dj_may_vote: bool = True
    verbs: bool = True
    play_id: bool = False
    poster_bytes: int = 0
    real_shapes: bool = False
    kick_deliberate: bool = True
    spec: bool = True
    ping_interval_s: float = 30.0
    user_left_s: float = 20.0
