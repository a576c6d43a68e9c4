"""The calls about messages: send, read, edit, delete, react, mark.

PURE.
"""

from hangbot.sandbox.chat.auth import Caller
from hangbot.sandbox.chat.call import Answer, Call
from hangbot.sandbox.chat.changes import delete_message, edit_message, stored_message
from hangbot.sandbox.chat.inbox import InboxCalls
from hangbot.sandbox.chat.reactions import reactions_page
from hangbot.sandbox.chat.receipts import delivered_at_once, mark
from hangbot.sandbox.chat.rows import Draft, Push, Row
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.send_body import edited_data, read_draft
from hangbot.sandbox.chat.values import first_given, text_of, whole

__all__ = ["MessageCalls"]


class MessageCalls(InboxCalls):
    """`messages` and what is below it."""

    def _messages(self, call: Call) -> Answer:
        match (call.method, *call.segments):
            case ("POST", "messages"):
                return self._send(call, None)
            case ("GET", "messages"):
                return self._inbox(call)
            case ("GET", "messages", number):
                caller = self._caller(call)
                return self._one(caller, self._looked_at(caller, number))
            case ("PUT", "messages", number):
                return self._edit(call, number)
            case ("DELETE", "messages", number):
                caller = self._caller(call)
                row = stored_message(self.world, number, "change_unknown")
                action, pushes = delete_message(self.world, caller.uid, row, caller.resource)
                return Answer(200, {"data": self._shown(caller.uid, action)}, pushes, uid=caller.uid)
            case _:
                return self._below_message(call)

    def _below_message(self, call: Call) -> Answer:
        match (call.method, *call.segments):
            case ("POST", _, number, "thread"):
                return self._send(call, number)
            case ("GET", _, number, "thread"):
                return self._thread(call, number)
            case ("GET", _, number, "reactions", *emoji) if len(emoji) <= 1:
                caller = self._caller(call)
                row = self._looked_at(caller, number)
                found = self.reactions.rows(self.world, row["id"], caller.uid, *emoji)
                return Answer(200, reactions_page(found, call.query), uid=caller.uid)
            case ("POST" | "DELETE", _, number, "reactions", emoji):
                return self._react(call, number, emoji)
            case ("POST", _, number, "interactions"):
                return self._interact(call, number)
            case ("PATCH", _, number, "interacted") if self.dialect.name == "cometchat":
                return self._interact(call, number)
            case _:
                return self._no_route(call)

    def _looked_at(self, caller: Caller, number: str, unknown: str = "message_unknown") -> Row:
        """Give a message to who takes part in its conversation.

        Raises:
            ChatRefusal: `unknown`, `look_outside`, `look_other`.
        """
        row = stored_message(self.world, number, unknown)
        self.world.require_participant(row, caller.uid)
        return row

    def _thread(self, call: Call, number: str) -> Answer:
        caller = self._caller(call)
        parent = self.world.by_id(whole(number, -1))
        if parent is None:  # measured: a thread of nothing is empty
            return self._page(call, caller, [])
        self.world.require_participant(parent, caller.uid)
        rows = self.world.rows(parent["conversationId"])
        return self._page(call, caller, [row for row in rows if str(row.get("parentId")) == number])

    def _send(self, call: Call, parent: str | None) -> Answer:
        fields = self._fields(call)
        caller = self._caller(call, keyed=True)
        draft = read_draft(fields, self.dialect, resource=caller.resource, parent=parent)
        row, pushes = self.store(caller.uid, draft, admin=caller.admin)
        status = 200 if parent is not None else self.dialect.send_status
        return Answer(status, {"data": self._shown(caller.uid, row)}, pushes, uid=caller.uid)

    def store(self, uid: str, draft: Draft, *, admin: bool = False) -> tuple[Row, list[Push]]:
        """Store a message; a direct one is acknowledged at once."""
        if draft.receiver_type == "user":
            self._introduce(draft.receiver)
        row, pushes = self.world.send(uid, draft, admin=admin)
        if draft.receiver_type == "user":
            pushes += delivered_at_once(self.world, row)
        return row, pushes

    def _edit(self, call: Call, number: str) -> Answer:
        fields = call.body if isinstance(call.body, dict) else {"_json": call.body}  # as OpenChat names it
        caller = self._caller(call)
        row = stored_message(self.world, number, "change_unknown")
        data = edited_data(fields, documented=self.dialect.name == "cometchat")
        action, pushes = edit_message(self.world, caller.uid, row, data, caller.resource)
        return Answer(200, {"data": self._shown(caller.uid, action)}, pushes, uid=caller.uid)

    def _react(self, call: Call, number: str, emoji: str) -> Answer:
        caller = self._caller(call)
        row = self._looked_at(caller, number, "change_unknown")
        change = self.reactions.add if call.method == "POST" else self.reactions.remove
        changed, pushes = change(self.world, caller.uid, row, emoji, caller.resource)
        return Answer(200, {"data": self._shown(caller.uid, changed)}, pushes, uid=caller.uid)

    def _interact(self, call: Call, number: str) -> Answer:
        self._fields(call)
        caller = self._caller(call)
        row = self._looked_at(caller, number)
        data, pushes = mark(self.world, caller.uid, row, "read")
        return Answer(200, {"data": data}, pushes, uid=caller.uid)

    def _extension(self, call: Call) -> Answer:
        """The web client's older way to react: `{msgId, emoji}` to the extension, at any path and method.

        Measured: it answers like a reaction.
        """
        caller = self._caller(call)
        fields = {**call.query, **self._fields(call)}
        number = text_of(first_given(fields, "messageId", "msgId"), "messageId")
        emoji = text_of(first_given(fields, "reaction", "emoji"), "reaction")
        for parameter, value in (("messageId", number), ("reaction", emoji)):
            if not value:
                raise ChatRefusal("missing_parameter", parameter=parameter)
        row = self._looked_at(caller, number, "change_unknown")
        changed, pushes = self.reactions.add(self.world, caller.uid, row, emoji, caller.resource)
        return Answer(200, {"data": self._shown(caller.uid, changed)}, pushes, uid=caller.uid)
