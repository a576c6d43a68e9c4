"""Users, as an author names them. PURE."""

from hangbot.bot.events import User
from hangbot.errors import UsageError

__all__ = ["uuid_of"]


def uuid_of(user: User | str) -> str:
    """Return a user's uuid; raises `UsageError` for what is neither a user nor a uuid."""
    uuid: object = user.uuid if isinstance(user, User) else user
    if not isinstance(uuid, str) or not uuid:
        raise UsageError(f"{user!r} is no user", remedy="Give a `hangbot.User`, or its uuid.")
    return uuid
