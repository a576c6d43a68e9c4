"""The canary: a message that is sent, found and deleted. Others see it for a moment."""

from typing import Final
from urllib.parse import quote

from hangbot.delivery.message import Outgoing
from hangbot.errors import HangbotError, ServiceError
from hangbot.ids import new_uuid
from hangbot.preflight.model import CheckContext, Finding, check

__all__ = ["canary_message"]

_TEXT: Final = "hangbot preflight: a canary, deleted at once"


@check(
    "canary",
    "A message arrives",
    needs=("chat.history",),
    remedy="Check that the bot may write in the group; `hangbot outbox list --failed` shows more.",
)
async def canary_message(context: CheckContext) -> Finding:
    """A message is stored, can be found by its id, and can be deleted.

    Raises:
        ServiceError: As the chat refuses it.
        NotStored: It was acknowledged and cannot be found.
    """
    message = Outgoing(f"canary-{new_uuid(context.rng)}", context.settings.chat_receiver, _TEXT)
    stored = await context.chat.send(message)
    if not await context.chat.find(message):
        raise NotStored(f"message {message.id} was acknowledged, and is not stored")
    if stored is None:
        return Finding(
            f"message {message.id} was sent and found, but the answer names no number to delete it by",
            "Delete it by hand.",
        )
    try:
        await context.chat.call(
            "DELETE", f"/messages/{quote(str(stored.id), safe='')}", what=f"deleting message {stored.id}"
        )
    except ServiceError as exc:
        return Finding(f"message {message.id} was sent and found, but {exc}", "Delete it by hand.")
    return Finding("a message was sent, found by its id, and deleted")


class NotStored(HangbotError):
    """A message that the chat acknowledged and does not have."""

    remedy = "The chat loses what it acknowledges: do not deploy; report it to whoever runs it."
