"""What the handlers of all routes work on, and how rows are shown to a caller.

PURE.
"""

from dataclasses import dataclass

from hangbot.sandbox.chat.auth import Authenticator, Caller
from hangbot.sandbox.chat.call import Answer, Call, data_answer
from hangbot.sandbox.chat.dialects import Dialect
from hangbot.sandbox.chat.paging import cut_page, history_query
from hangbot.sandbox.chat.rows import Row
from hangbot.sandbox.chat.world import ChatWorld
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.people import People

__all__ = ["ChatContext"]


@dataclass(frozen=True, slots=True)
class ChatContext:
    """One chat server: its world, its dialect, its people.

    Attributes:
        world: What the server knows.
        dialect: How it speaks.
        people: The people of the sandbox, chat users or not.
        auth: Finds the caller of a call.
        ids: Where new ids come from.
    """

    world: ChatWorld
    dialect: Dialect
    people: People
    auth: Authenticator
    ids: Ids

    def shown(self, uid: str, row: Row) -> Row:
        """Return a row as a user sees it."""
        return self.dialect.render(row, uid, self.world.reactions.own(row["id"], uid))

    def page(self, call: Call, caller: Caller, rows: list[Row]) -> Answer:
        """Answer with the page of a conversation's rows that the call asks for."""
        query = history_query(
            call.query, documented=self.dialect.documented_lists, affix=self.dialect.default_affix
        )
        page = cut_page(rows, query)
        shown = [self.shown(caller.uid, row) for row in page.rows]
        if self.dialect.bare_newest_first and not call.query.get("affix"):
            shown.reverse()
        return data_answer(caller.uid, shown, meta=page.meta)
