"""What was said in the chat, page by page, for a bot that has a position in each conversation."""

from collections.abc import Sequence
from typing import Final

from hangbot.bot.events import ChatMessage
from hangbot.bot.ports import CONVERSATIONS_LISTED, Conversation, Newest, Unreadable
from hangbot.errors import Unavailable
from hangbot.hangfm.chat import ChatClient
from hangbot.hangfm.wire.chat import claimed_sender, read_message, read_newest
from hangbot.text import one_line

__all__ = ["HistoryReader"]

_SHOWN: Final = 40


class HistoryReader:
    """Reads the chat over a borrowed client, as a `hangbot.bot.ports.ChatHistory`.

    Args:
        chat: The client.
    """

    def __init__(self, chat: ChatClient) -> None:
        self._chat = chat

    def wrote(self, row: ChatMessage) -> bool:
        """Return whether the bot itself wrote a row: by its uid, or the client's id that is stamped on it.

        Metadata, which anyone can write, counts where the server names no sender.
        """
        sender = row.sender or claimed_sender(row)
        return sender in self._chat.own_uids or row.raw.get("resource") == self._chat.resource

    async def page(
        self,
        conversation: Conversation,
        *,
        after: int | None = None,
        before: int | None = None,
        most: int = 50,
    ) -> Sequence[ChatMessage | Unreadable]:
        """Return rows of a conversation, oldest first, and what is none; raises `ServiceError`."""
        rows = await self._chat.rows(conversation, after=after, before=before, most=most)
        where = f"the messages of {conversation.name}"
        shown = [read_message(row) or _unreadable(where, row) for row in rows]
        return sorted(shown, key=lambda row: row.id if isinstance(row, ChatMessage) else -1)

    async def newest_by_conversation(self, page: int = 1) -> Sequence[Newest | None]:
        """Return a page of conversations, that with the newest row first; raises `ServiceError`.

        ``None`` stands for what cannot be read.
        """
        what = "the list of conversations"
        # OpenChat's list knows one name of the size (measured), the SDK sends the other.
        params = {"per_page": CONVERSATIONS_LISTED, "limit": CONVERSATIONS_LISTED, "page": page}
        rows = await self._chat.call("GET", "/conversations", what=what, params=params)
        if not isinstance(rows, list):
            raise Unavailable(f"chat answered {what} without a list", service="chat")
        return [read_newest(row) for row in rows]

    def server_time(self) -> float:
        """Return the time since the epoch as the server last gave it, or the machine's own."""
        return self._chat.server_time()


def _unreadable(where: str, row: object) -> Unreadable:
    """Say what is wrong with a row, without its words: they may be between two people."""
    if isinstance(row, dict):
        return Unreadable(where, f"its id is none: {one_line(repr(row.get('id')), _SHOWN)}")
    return Unreadable(where, f"it is no object, but {type(row).__name__}")
