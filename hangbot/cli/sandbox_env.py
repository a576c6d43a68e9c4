"""The configuration that ``hangbot sandbox --env-out`` writes, and the identity that the next sandbox keeps.

The outbox beside the file belongs to the bot and the room in it: they stay the same when the sandbox is
started again.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hangbot.config.envfile import quoted, read_env_file
from hangbot.config.validators import ID
from hangbot.errors import ConfigError
from hangbot.sandbox import Identity, Sandbox

__all__ = ["MARK", "kept_identity", "render"]

MARK: Final = "# A bot in the sandbox; made by `hangbot sandbox --env-out`, and written anew by the next one."
_KEPT: Final = "# Kept as it stood here."
_OTHERS: Final = "# The same under the names that other public bots read."


def kept_identity(path: Path) -> Identity | None:
    """Return the bot and the room of an earlier file; ``None`` where it names none that can be kept."""
    values = _values(path)
    token, room = values.get("BOT_USER_TOKEN", ""), values.get("ROOM_UUID", "")
    if not token or not ID.fullmatch(room):
        return None
    chat_token, app_id = values.get("COMETCHAT_AUTH") or None, values.get("COMETCHAT_APPID", "")
    try:
        return Identity(token, room, chat_token, app_id if ID.fullmatch(app_id) else None)
    except ValueError:
        return None


def render(sandbox: Sandbox, earlier: Path | None) -> str:
    """Return the configuration of a bot in this sandbox; other values of an earlier file stay at the end.

    Args:
        sandbox: The sandbox.
        earlier: The earlier file, or ``None``.
    """
    # Also its chat token and uid, which hangbot would find by itself: other bots need them.
    bot = {"COMETCHAT_UID": sandbox.bot.uid, "COMETCHAT_AUTH": sandbox.bot.chat_token}
    own, others = sandbox.env() | bot, sandbox.env_of_others()
    lines = [*_lines(own), _OTHERS, *_lines(others)]
    before = {} if earlier is None else _values(earlier)
    added = {name: value for name, value in before.items() if name not in own | others | _OURS}
    if added:
        lines += [_KEPT, *_lines(added)]
    return "\n".join(lines) + "\n"


_OURS: Final[dict[str, str]] = {"COMETCHAT_APPID": ""}
"""Names that are written for one dialect, and would be wrong for the other."""


def _lines(values: Mapping[str, str]) -> list[str]:
    return [f"{name}={quoted(value)}" for name, value in values.items()]


def _values(path: Path) -> dict[str, str]:
    try:
        return {name: entry.value for name, entry in read_env_file(path).values.items()}
    except ConfigError:
        return {}  # edited by hand and no longer valid: it is written anew
