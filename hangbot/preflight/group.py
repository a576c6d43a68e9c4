"""Checks of the room's chat group: does it exist, is the bot in it, can it be read?"""

from typing import Any, Final

from hangbot.errors import HangbotError, NotFound, Refused
from hangbot.hangfm.wire.chat_errors import KINDS
from hangbot.preflight.diagnosis import SETTING, Unexplained
from hangbot.preflight.model import CheckContext, Finding, check
from hangbot.text import is_uuid

__all__ = ["chat_group", "chat_history", "chat_member"]


@check(
    "chat.group",
    "Chat group exists",
    needs=("chat.token",),
    remedy="Check ROOM_UUID and COMETCHAT_RECEIVER.",
)
async def chat_group(context: CheckContext) -> Finding:
    """The room's chat group exists."""
    try:
        group = await context.chat.group()
    except NotFound as exc:
        if exc.code == "ERR_GUID_NOT_FOUND":
            more, exc.remedy, exc.blames = await _explain_missing_group(context)
            exc.args = (f"{exc}; {more}",)
        raise
    name = group.get("name")
    return Finding(
        f"group {name or context.chat.group_id} exists", room=name if isinstance(name, str) else ""
    )


async def _explain_missing_group(context: CheckContext) -> tuple[str, str, str]:
    """Find out why there is no group: a wrong receiver, a slug, or a room that does not exist.

    Returns:
        What is wrong, the remedy, and the setting to blame.
    """
    settings = context.settings
    if settings.chat_receiver != settings.room_uuid:
        return (
            "COMETCHAT_RECEIVER is another than ROOM_UUID",
            "Check COMETCHAT_RECEIVER; best remove it: it is derived from ROOM_UUID.",
            "COMETCHAT_RECEIVER",
        )
    try:
        room = await context.gateway.room(settings.room_uuid)
    except NotFound:
        return (
            "the gateway knows no such room either",
            "Correct ROOM_UUID; `hangbot init --room SLUG` finds it by the room's name in its address.",
            "ROOM_UUID",
        )
    except HangbotError:
        return "the gateway cannot be asked", "Check ROOM_UUID; the room may be closed.", ""
    uuid = room.get("uuid")
    if not is_uuid(settings.room_uuid) and isinstance(uuid, str) and is_uuid(uuid):
        return (
            "ROOM_UUID is the room's name in its address, not its uuid",
            f"Set ROOM_UUID={uuid}.",
            "ROOM_UUID",
        )
    return (
        "the gateway knows the room, so its chat is not set up or the chat is another's",
        f"Check {SETTING['chat']} and {SETTING['gateway']}: both must be of the same Hang.fm.",
        "",
    )


@check(
    "chat.member",
    "Bot is in the chat group",
    needs=("chat.group",),
    remedy="Ask the room's moderators whether the bot is banned.",
)
async def chat_member(context: CheckContext) -> Finding:
    """The bot is in the chat group: joining is idempotent, while asking is not reliable on OpenChat."""
    if not context.settings.auto_join:
        return Finding("not asked: AUTO_JOIN is off, and only joining tells for sure")
    try:
        await context.chat.join()
    except Refused as exc:
        if exc.about_token:
            raise
        await _explain_refused_join(context, exc)
        raise
    return Finding(f"the bot is in group {context.chat.group_id}")


async def _explain_refused_join(context: CheckContext, exc: Refused) -> None:
    """Distinguish a ban from a private group by the group's type: the code is the same on OpenChat.

    By the documentation, joining a public group is refused with ``ERR_FORBIDDEN`` only when banned,
    joining a private one always. The server's words are not relied upon.

    Raises:
        Unexplained: Neither the code nor the type shows the cause.
    """
    if exc.code == "ERR_BANNED_GROUPMEMBER":
        exc.args = (f"the bot is banned from the group: {exc}",)
        exc.remedy = _ASK_TO_LIFT
        return
    if type(exc) is Refused and exc.code not in KINDS:  # the others are recognised by their status
        raise Unexplained(f"{exc}; these are the server's own words, and no cause is known for them") from exc
    if exc.code != "ERR_FORBIDDEN":
        return
    kind = await _type_of_group(context)
    if kind == "public":
        exc.args = (f"the bot is banned from the group (it is public): {exc}",)
        exc.remedy = _ASK_TO_LIFT
    elif kind == "private":
        exc.args = (f"the group is private, and the bot is not in it: {exc}",)
        exc.remedy = "Ask the room's owner to add the bot to the group."
    else:
        raise Unexplained(f"{exc}; whether it is banned or the group private cannot be told") from exc


_ASK_TO_LIFT: Final = "Ask a moderator of the room to lift the ban; do not try again before."


async def _type_of_group(context: CheckContext) -> Any:  # noqa: ANN401  whatever the server says
    try:
        return (await context.chat.group()).get("type")
    except HangbotError:
        return None


@check(
    "chat.history",
    "Chat history is readable",
    needs=("chat.member",),
    remedy="Let the bot join the chat group: AUTO_JOIN=true.",
)
async def chat_history(context: CheckContext) -> Finding:
    """The group's messages can be read."""
    rows = await context.chat.history(most=1)
    return Finding("the history can be read" + ("" if rows else " (it is empty)"))
